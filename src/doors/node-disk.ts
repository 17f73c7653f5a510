import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Level } from 'level';
import { isDamagedDatabase } from './database.ts';
import type { DirectoryLock, Disk, DiskFile } from './disk.ts';

const open = promisify(fs.open);
const close = promisify(fs.close);
const read = promisify(fs.read);
const fstat = promisify(fs.fstat);
const ftruncate = promisify(fs.ftruncate);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = fs.constants;

/** The machine's file system. */
export function nodeDisk(): Disk {
  return {
    async open(path, { create = false, exclusive = false, readOnly = false } = {}) {
      const flags = (readOnly ? O_RDONLY : O_RDWR) | (create ? O_CREAT : 0) | (exclusive ? O_EXCL : 0);
      const fd = await open(path, flags, 0o640);
      try {
        return new NodeFile(fd, (await fstat(fd)).size);
      } catch (error) {
        await close(fd);
        throw error;
      }
    },
    async list(directory) {
      const names = await fs.promises.readdir(directory);
      return names.sort();
    },
    async makeDirectory(directory) {
      const first = await fs.promises.mkdir(directory, { recursive: true });
      // Each folder made is a name in the one above it, and a name is durable only once that is synced.
      if (first === undefined) return;
      const topmost = resolve(first);
      for (let made = resolve(directory); made.length >= topmost.length; made = dirname(made)) {
        await syncDirectory(dirname(made));
      }
    },
    rename: (from, to) => fs.promises.rename(from, to),
    remove: (path) => fs.promises.unlink(path),
    removeDirectory: (directory) => fs.promises.rmdir(directory),
    syncDirectory,
    async space(directory) {
      // Not `bfree`: what is kept for root is not there for others.
      const { bavail, blocks, bsize } = await fs.promises.statfs(directory);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    },
    lock,
  };
}

async function syncDirectory(directory: string): Promise<void> {
  const fd = await open(directory, O_RDONLY);
  try {
    await fsync(fd);
  } finally {
    await close(fd);
  }
}

class NodeFile implements DiskFile {
  readonly #fd: number;
  #size: number;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.#size = size;
  }

  async size(): Promise<number> {
    return (await fstat(this.#fd)).size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await read(this.#fd, bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  append(data: Uint8Array): Promise<void> {
    return this.write(this.#size, data);
  }

  /** A write goes to the page cache: handing it to a thread would cost more than the copy. */
  async write(offset: number, data: Uint8Array): Promise<void> {
    let written = 0;
    while (written < data.length) {
      written += fs.writeSync(this.#fd, data, written, data.length - written, offset + written);
    }
    this.#size = Math.max(this.#size, offset + data.length);
  }

  async truncate(length: number): Promise<void> {
    await ftruncate(this.#fd, length);
    this.#size = length;
  }

  sync(): Promise<void> {
    return fdatasync(this.#fd);
  }

  close(): Promise<void> {
    return close(this.#fd);
  }
}

/** Folders that this process has locked, by their real paths. */
const lockedHere = new Set<string>();

/**
 * Node has no file locks. LevelDB takes a kernel lock on its file `LOCK`, which ends with the process however
 * it dies: an empty database in the folder serves as the lock.
 *
 * The kernel lock does not keep a process from itself, and a process that closes any handle of the file lets go of
 * it. So the folders that this process holds are known here, and asked first.
 */
async function lock(
  directory: string,
  { unchanged = false }: { unchanged?: boolean } = {},
): Promise<DirectoryLock> {
  const path = await fs.promises.realpath(directory).catch(() => resolve(directory));
  if (lockedHere.has(path)) throw locked(directory);
  lockedHere.add(path);
  try {
    const taken = unchanged ? await lockUnchanged(directory) : await lockByDatabase(directory);
    let released: Promise<void> | null = null;
    const release = (): Promise<void> => taken.release().finally(() => lockedHere.delete(path));
    return {
      release: () => {
        released ??= release();
        return released;
      },
    };
  } catch (error) {
    lockedHere.delete(path);
    throw error;
  }
}

/** Only the database's `LOCK` matters; if the rest is damaged it is made anew, which a holder does not notice. */
async function lockByDatabase(directory: string): Promise<DirectoryLock> {
  const folder = join(directory, 'lock');
  const database = new Level(folder);
  try {
    await database.open();
  } catch (first) {
    if (!isDamagedDatabase(first)) throw lockError(directory, first);
    try {
      for (const name of await fs.promises.readdir(folder)) {
        if (name !== 'LOCK') await fs.promises.unlink(join(folder, name));
      }
      await database.open();
    } catch (second) {
      throw lockError(directory, second);
    }
  }
  return { release: () => database.close() };
}

/** A database elsewhere, whose `LOCK` is a link to that of the folder: the kernel locks what the link leads to. */
async function lockUnchanged(directory: string): Promise<DirectoryLock> {
  const file = resolve(directory, 'lock', 'LOCK');
  if (!(await isThere(file))) {
    return {
      async release() {
        if (await isThere(file)) throw locked(directory);
      },
    };
  }
  const aside = await fs.promises.mkdtemp(join(tmpdir(), 'kontiki-lock-'));
  try {
    await fs.promises.symlink(file, join(aside, 'LOCK'));
    // A database opens itself once it is made: then the link has to be there.
    const database = new Level(aside);
    await database.open();
    return {
      async release() {
        await database.close();
        await fs.promises.rm(aside, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await fs.promises.rm(aside, { recursive: true, force: true });
    throw lockError(directory, error);
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await fs.promises.stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function locked(directory: string, cause?: unknown): Error {
  const message = `${directory} is locked by another process, or by this one`;
  return Object.assign(new Error(message, { cause }), { code: 'ELOCKED' });
}

/** With the system's code, which LevelDB puts into words. */
function lockError(directory: string, error: unknown): Error {
  const cause = causeOf(error);
  if (cause.code === 'LEVEL_LOCKED') return locked(directory, cause);
  const [, code] = wordings.find(([wording]) => wording.test(cause.message)) ?? [];
  const message = `cannot lock ${directory}: ${cause.message}`;
  return Object.assign(new Error(message, { cause }), { code: code ?? cause.code ?? 'EIO' });
}

const wordings = [
  [/permission denied/i, 'EACCES'],
  [/read-only file system/i, 'EROFS'],
  [/no space left/i, 'ENOSPC'],
  [/not a directory/i, 'ENOTDIR'],
  [/too many open files/i, 'EMFILE'],
  [/io error/i, 'EIO'],
] as const;

/** abstract-level wraps the reason of a failed opening. */
function causeOf(error: unknown): Error & { readonly code?: string } {
  const { cause } = error as { cause?: unknown };
  if (cause instanceof Error) return cause;
  return error instanceof Error ? error : new Error(String(error));
}
