import type { Disk, DiskFile } from '../../doors/disk.ts';
import { codeOf } from './folder-tree.ts';

/**
 * A disk through which nothing can be changed. A file that would be made reads as empty, so that what opens
 * a storage's files can be used to read them.
 */
export function readOnlyDisk(disk: Disk): Disk {
  return {
    async open(path, { create = false } = {}) {
      try {
        return readOnlyFile(path, await disk.open(path, { readOnly: true }));
      } catch (error) {
        if (!create || codeOf(error) !== 'ENOENT') throw error;
        return readOnlyFile(path, noFile);
      }
    },
    list: (directory) => disk.list(directory),
    makeDirectory: refuse,
    rename: refuse,
    remove: refuse,
    removeDirectory: refuse,
    syncDirectory: async () => {},
    space: (directory) => disk.space(directory),
    lock: (directory) => disk.lock(directory, { unchanged: true }),
  };
}

function readOnlyFile(path: string, file: Pick<DiskFile, 'size' | 'read' | 'close'>): DiskFile {
  return {
    size: () => file.size(),
    read: (offset, length) => file.read(offset, length),
    append: () => refuse(path),
    write: () => refuse(path),
    truncate: () => refuse(path),
    // There is nothing to sync.
    sync: async () => {},
    close: () => file.close(),
  };
}

const noFile = {
  size: async (): Promise<number> => 0,
  read: async (): Promise<Uint8Array> => new Uint8Array(0),
  close: async (): Promise<void> => {},
};

async function refuse(path: string): Promise<never> {
  throw new Error(`${path} is only read here`);
}
