import type { DiskFile } from '../../../src/doors/disk.ts';
import { deviceError, READ, type SimulatedDevice, SYNC, WRITE } from './device.ts';
import type { FileContent } from './file-content.ts';
import type { SimulatedProcess } from './process.ts';
import type { SimulatedRandom } from './random.ts';

/** An open file of one process. It goes on working after the name is removed or renamed, as in POSIX. */
export function openFile(
  device: SimulatedDevice,
  process: SimulatedProcess,
  path: string,
  content: FileContent,
): DiskFile {
  let open = true;
  const labels = {
    read: `${process.name} read '${path}'`,
    write: `${process.name} write '${path}'`,
    sync: `${process.name} sync '${path}'`,
    close: `${process.name} close '${path}'`,
  };
  const guard = (what: string): void => {
    if (!open) throw deviceError('EBADF', what);
  };
  /** What lies within the file has its room. */
  const bytesThatFit = (offset: number, length: number): number =>
    Math.min(length, Math.max(0, content.size - offset) + device.room);
  /** `at` is asked when the write happens: appends under way together land in the order they complete. */
  const write = async (at: () => number, data: Uint8Array): Promise<void> => {
    guard(labels.write);
    await device.submit(process, {
      kinds: WRITE,
      label: labels.write,
      apply: () => {
        device.simulation.recordBytes(data);
        const offset = at();
        const fits = bytesThatFit(offset, data.length);
        // Not slice(): that of a Buffer copies nothing.
        content.write(offset, new Uint8Array(data.subarray(0, fits)));
        if (fits < data.length) throw deviceError('ENOSPC', labels.write);
      },
      interrupt: (_by, random) => {
        const length = Math.min(interruptedLength(data.length, random), bytesThatFit(at(), data.length));
        if (length > 0) content.write(at(), new Uint8Array(data.subarray(0, length)));
      },
    });
  };
  return {
    size: async () => {
      guard(labels.read);
      return device.submit(process, { kinds: READ, label: labels.read, apply: () => content.size });
    },
    read: async (offset, length) => {
      guard(labels.read);
      checkPosition(offset, 'offset');
      checkPosition(length, 'length');
      return device.submit(process, {
        kinds: READ,
        label: labels.read,
        apply: () => content.read(offset, length),
      });
    },
    append: (data) => write(() => content.size, data),
    write: async (offset, data) => {
      checkPosition(offset, 'offset');
      await write(() => offset, data);
    },
    truncate: async (length) => {
      guard(labels.write);
      checkPosition(length, 'length');
      await device.submit(process, {
        kinds: WRITE,
        label: labels.write,
        apply: () => {
          if (length > content.size + device.room) throw deviceError('ENOSPC', labels.write);
          content.truncate(length);
        },
        interrupt: (_by, random) => {
          if (random.chance(500)) content.truncate(length);
        },
      });
    },
    sync: async () => {
      guard(labels.sync);
      // fdatasync covers what was written before the call; what completes meanwhile may miss it.
      const upToChange = content.lastChange;
      await device.submit(process, {
        kinds: SYNC,
        label: labels.sync,
        apply: () => content.sync(upToChange),
        interrupt: (by, random) => {
          if (by === 'failed') content.failSync(upToChange, random);
          else if (random.chance(500)) content.sync(upToChange);
        },
      });
    },
    close: async () => {
      guard(labels.close);
      open = false;
      await device.submit(process, { kinds: READ, label: labels.close, apply: () => undefined });
    },
  };
}

/** All of it, nothing, or a prefix. */
function interruptedLength(length: number, random: SimulatedRandom): number {
  const way = random.integer(0, 3);
  if (way === 0) return 0;
  return way === 1 ? length : random.integer(0, length + 1);
}

function checkPosition(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`a file's ${what} must be a whole number, zero or more, got ${value}`);
  }
}

/** What would change the file rejects, as it does where the file was opened for reading alone. */
export function readOnlyFile(file: DiskFile, path: string): DiskFile {
  const refuse = (): Promise<never> =>
    Promise.reject(deviceError('EBADF', `write '${path}', opened for reading`));
  return { ...file, append: refuse, write: refuse, truncate: refuse };
}
