/**
 * The door of the disk: a small file system. What it promises is what a POSIX file system promises, and
 * no more: bytes are durable after `sync`, names are durable after `syncDirectory` of their folder.
 *
 * Paths are absolute or relative strings with `/`. Errors reject with a `NodeJS.ErrnoException`-like
 * error whose `code` is the usual one (`ENOENT`, `EIO`, `ENOSPC`, `EEXIST`, ...).
 */
export interface Disk {
  /**
   * Opens for reading and writing. `create` makes a missing file; `exclusive` rejects with EEXIST. With
   * `readOnly`, and nothing else, a file that may only be read opens too; what would change it rejects.
   */
  open(
    path: string,
    options?: { create?: boolean; exclusive?: boolean; readOnly?: boolean },
  ): Promise<DiskFile>;
  /** Names in a folder, sorted by code unit. ENOENT when there is nothing there, ENOTDIR when it is a file. */
  list(directory: string): Promise<string[]>;
  /** Makes a folder and its missing parents; a no-op if it is there. */
  makeDirectory(directory: string): Promise<void>;
  /**
   * Renames a file, and replaces `to` if that is one; or a folder with all that is in it, where `to` is not
   * there or an empty folder. Durable after `syncDirectory` of the folder of `to`.
   */
  rename(from: string, to: string): Promise<void>;
  /** Removes one file. ENOENT when there is none. */
  remove(path: string): Promise<void>;
  /** Removes an empty folder. ENOENT when there is none, ENOTEMPTY when something is in it. */
  removeDirectory(directory: string): Promise<void>;
  syncDirectory(directory: string): Promise<void>;
  /** Of the file system that the folder is on, as it is now. `Infinity` where nothing bounds it. */
  space(directory: string): Promise<DiskSpace>;
  /**
   * Takes the exclusive right to a folder, until released or until the process dies, however it dies.
   * Rejects with code `ELOCKED` while another process, or this one, holds it.
   *
   * `unchanged` leaves every byte of the folder as it is. A folder that was never locked has nothing to hold on to
   * then: somebody may take it meanwhile, and `release` rejects with `ELOCKED` if so.
   */
  lock(directory: string, options?: { unchanged?: boolean }): Promise<DirectoryLock>;
}

export interface DiskSpace {
  /** What this program may still write. */
  readonly freeBytes: number;
  /** Used and free together. */
  readonly totalBytes: number;
}

export interface DiskFile {
  /** Bytes in the file. */
  size(): Promise<number>;
  /** Up to `length` bytes from `offset`; fewer only at the end of the file. The caller owns the result. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Writes all of `data` at the end. Not durable before `sync`. The data must not change until it resolves. */
  append(data: Uint8Array): Promise<void>;
  /** Writes all of `data` at `offset`, growing the file if needed. Not durable before `sync`. */
  write(offset: number, data: Uint8Array): Promise<void>;
  /** Cuts the file to `length` bytes. Not durable before `sync`. */
  truncate(length: number): Promise<void>;
  /** Makes all that was written durable (fdatasync). A rejected sync leaves what is durable unknown. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface DirectoryLock {
  release(): Promise<void>;
}
