import type { Disk, DiskFile, DiskSpace } from '../../../src/doors/disk.ts';

/** A file system in memory that can be copied, damaged, and made to fail at its nth write or sync. */
export class MemoryDisk implements Disk {
  readonly files: Map<string, Buffer>;
  readonly #folders: Set<string>;
  readonly #locks = new Set<string>();
  /** Operations that change something, so far. */
  changes = 0;
  #failAt = Number.POSITIVE_INFINITY;
  #code = 'EIO';

  constructor(from?: MemoryDisk) {
    this.files = new Map([...(from?.files ?? [])].map(([path, bytes]) => [path, Buffer.from(bytes)]));
    this.#folders = new Set(from === undefined ? ['/'] : from.#folders);
  }

  /** The change with this number fails, halfway if it is a write; those before and after it succeed. */
  failAt(change: number, code: string): void {
    this.#failAt = change;
    this.#code = code;
  }

  async open(
    path: string,
    options: { create?: boolean; exclusive?: boolean; readOnly?: boolean } = {},
  ): Promise<DiskFile> {
    const exists = this.files.has(path);
    if (!exists && options.create !== true) throw errno('ENOENT', path);
    if (exists && options.exclusive === true) throw errno('EEXIST', path);
    if (!exists) {
      this.#change(path);
      this.files.set(path, Buffer.alloc(0));
    }
    return this.#file(path);
  }

  async list(directory: string): Promise<string[]> {
    if (this.files.has(directory)) throw errno('ENOTDIR', directory);
    if (!this.#folders.has(directory)) throw errno('ENOENT', directory);
    const prefix = directory === '/' ? '/' : `${directory}/`;
    const names = [...this.files.keys(), ...this.#folders]
      .filter((path) => path.startsWith(prefix) && path !== directory)
      .map((path) => path.slice(prefix.length).split('/')[0] ?? '');
    return [...new Set(names)].filter((name) => name !== '').sort();
  }

  async makeDirectory(directory: string): Promise<void> {
    let path = '';
    for (const name of directory.split('/').filter((part) => part !== '')) {
      path += `/${name}`;
      this.#folders.add(path);
    }
  }

  /** What `space` tells. */
  freeBytes = Number.POSITIVE_INFINITY;

  async space(): Promise<DiskSpace> {
    return { freeBytes: this.freeBytes, totalBytes: Number.POSITIVE_INFINITY };
  }

  async rename(from: string, to: string): Promise<void> {
    this.#change(from);
    if (this.#folders.has(from)) {
      this.#renameFolder(from, to);
      return;
    }
    this.files.set(to, this.#bytes(from));
    this.files.delete(from);
  }

  #renameFolder(from: string, to: string): void {
    const moved = (path: string): string => `${to}${path.slice(from.length)}`;
    const isInside = (path: string): boolean => path === from || path.startsWith(`${from}/`);
    for (const folder of [...this.#folders].filter(isInside)) {
      this.#folders.delete(folder);
      this.#folders.add(moved(folder));
    }
    for (const [path, bytes] of [...this.files].filter(([file]) => isInside(file))) {
      this.files.delete(path);
      this.files.set(moved(path), bytes);
    }
  }

  async remove(path: string): Promise<void> {
    this.#change(path);
    if (!this.files.delete(path)) throw errno('ENOENT', path);
  }

  async removeDirectory(directory: string): Promise<void> {
    this.#change(directory);
    if ((await this.list(directory)).length > 0) throw errno('ENOTEMPTY', directory);
    this.#folders.delete(directory);
  }

  async syncDirectory(directory: string): Promise<void> {
    this.#change(directory);
  }

  async lock(directory: string): Promise<{ release(): Promise<void> }> {
    if (this.#locks.has(directory)) throw errno('ELOCKED', directory);
    this.#locks.add(directory);
    return {
      release: async () => {
        this.#locks.delete(directory);
      },
    };
  }

  #file(path: string): DiskFile {
    const write = async (offset: number, data: Uint8Array): Promise<void> => {
      const old = this.#bytes(path);
      const fails = this.changes + 1 === this.#failAt;
      const written = fails ? data.subarray(0, data.length >> 1) : data;
      const bytes = Buffer.alloc(Math.max(old.length, offset + written.length));
      bytes.set(old);
      bytes.set(written, offset);
      this.files.set(path, bytes);
      this.#change(path);
    };
    return {
      size: async () => this.#bytes(path).length,
      read: async (offset, length) => Buffer.from(this.#bytes(path).subarray(offset, offset + length)),
      append: (data) => write(this.#bytes(path).length, data),
      write,
      truncate: async (length) => {
        this.#change(path);
        this.files.set(path, Buffer.from(this.#bytes(path).subarray(0, length)));
      },
      sync: async () => this.#change(path),
      close: async () => {},
    };
  }

  #bytes(path: string): Buffer {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw errno('ENOENT', path);
    return bytes;
  }

  #change(path: string): void {
    this.changes += 1;
    if (this.changes === this.#failAt) throw errno(this.#code, path);
  }
}

function errno(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
