import * as fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Level } from 'level';
import type { DirectoryLock, Disk, DiskFile } from './disk.ts';

const open = promisify(fs.open);
const close = promisify(fs.close);
const read = promisify(fs.read);
const fstat = promisify(fs.fstat);
const ftruncate = promisify(fs.ftruncate);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);

const { O_CREAT, O_EXCL, O_RDWR } = fs.constants;

/** The machine's file system. */
export function nodeDisk(): Disk {
  return {
    async open(path, { create = false, exclusive = false } = {}) {
      const flags = O_RDWR | (create ? O_CREAT : 0) | (exclusive ? O_EXCL : 0);
      const fd = await open(path, flags, 0o640);
      const { size } = await fstat(fd);
      return new NodeFile(fd, size);
    },
    async list(directory) {
      const names = await fs.promises.readdir(directory);
      return names.sort();
    },
    async makeDirectory(directory) {
      await fs.promises.mkdir(directory, { recursive: true });
    },
    rename: (from, to) => fs.promises.rename(from, to),
    remove: (path) => fs.promises.unlink(path),
    async syncDirectory(directory) {
      const fd = await open(directory, fs.constants.O_RDONLY);
      try {
        await fsync(fd);
      } finally {
        await close(fd);
      }
    },
    lock,
  };
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

  async append(data: Uint8Array): Promise<void> {
    await this.write(this.#size, data);
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

/**
 * Node has no file locks. LevelDB takes a kernel lock on its folder, which ends with the process however
 * it dies, and refuses a second opener in the same process too: an empty database serves as the lock.
 */
async function lock(directory: string): Promise<DirectoryLock> {
  const database = new Level(join(directory, 'lock'));
  try {
    await database.open();
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    if (cause?.code === 'LEVEL_LOCKED') {
      throw Object.assign(new Error(`${directory} is locked by another process, or by this one`), {
        code: 'ELOCKED',
        cause,
      });
    }
    throw Object.assign(new Error(`cannot lock ${directory}`), { code: cause?.code, cause });
  }
  return { release: () => database.close() };
}
