import type { Disk, DiskFile } from '../../src/doors/disk.ts';
import { readOnlyFile } from '../world/simulated/disk-file.ts';
import { normalizePath } from '../world/simulated/file-tree.ts';
import type { Medium } from './medium.ts';
import { mediumError } from './medium-error.ts';
import type { MediumFile } from './medium-file.ts';
import type { Process } from './process.ts';

/** The door of the disk for one process: every change goes to the medium at once, and syncs when they are done. */
export function mediumDisk(medium: Medium, process: Process): Disk {
  const takesTime = medium.onRecord !== null;
  return {
    open: (given, options = {}) =>
      process.answer(() => {
        const path = normalizePath(given);
        const exists = medium.has(path);
        if (exists && options.exclusive === true) throw mediumError('EEXIST', `open '${path}'`);
        const isNew = !exists && options.create === true;
        const file = openFile(medium, process, {
          path,
          file: isNew ? medium.create(path) : medium.file(path),
        });
        return options.readOnly === true ? readOnlyFile(file, path) : file;
      }),
    list: (given) => process.answer(() => [...medium.folder(normalizePath(given)).names.keys()].sort()),
    makeDirectory: (given) => process.answer(() => medium.makeFolder(normalizePath(given))),
    rename: (from, to) => process.answer(() => medium.rename(normalizePath(from), normalizePath(to))),
    remove: (given) => process.answer(() => medium.remove(normalizePath(given))),
    removeDirectory: (given) => process.answer(() => medium.removeFolder(normalizePath(given))),
    syncDirectory: (given) => {
      // What changes after the call is not covered.
      const upTo = medium.lastChange;
      return process.sync(takesTime, () => medium.syncFolder(normalizePath(given), upTo));
    },
    // A medium takes whatever is written.
    space: () =>
      process.answer(() => ({
        freeBytes: Number.POSITIVE_INFINITY,
        totalBytes: Number.POSITIVE_INFINITY,
      })),
    lock: (given) =>
      process.answer(() => {
        const path = normalizePath(given);
        medium.folder(path);
        if (!process.lock(path)) throw mediumError('ELOCKED', `lock '${path}'`);
        return { release: () => process.answer(() => process.unlock(path)) };
      }),
  };
}

/** It goes on working after the name is removed or renamed, as in POSIX. */
function openFile(
  medium: Medium,
  process: Process,
  place: { readonly path: string; readonly file: MediumFile },
): DiskFile {
  const { file, path } = place;
  const takesTime = medium.onRecord !== null;
  let isOpen = true;
  const answer = <T>(body: () => T): Promise<T> =>
    process.answer(() => {
      if (!isOpen) throw mediumError('EBADF', `use '${path}', which is closed`);
      return body();
    });
  return {
    size: () => answer(() => file.cached.length),
    read: (offset, length) => answer(() => Buffer.from(file.cached.subarray(offset, offset + length))),
    append: (data) => answer(() => medium.write(place, file.cached.length, data)),
    write: (offset, data) => answer(() => medium.write(place, offset, data)),
    truncate: (length) => answer(() => medium.truncate(place, length)),
    sync: () => {
      const upTo = medium.lastChange;
      return process.sync(takesTime, () => medium.sync(place, upTo));
    },
    close: () =>
      answer(() => {
        isOpen = false;
      }),
  };
}
