import type { DirectoryLock, Disk } from '../../../src/doors/disk.ts';
import { deviceError, NAME, READ, type SimulatedDevice, SYNC } from './device.ts';
import { openFile, readOnlyFile } from './disk-file.ts';
import { FileTree, normalizePath, type TreeCopy } from './file-tree.ts';
import type { SimulatedProcess } from './process.ts';
import type { SimulatedRandom } from './random.ts';

/**
 * The file system of one machine; it outlives the processes there. It promises what the `Disk` door
 * promises and otherwise behaves as badly as a file system may: names and bytes that were not synced are
 * kept, lost or torn when the power goes, and operations under way together complete in any order.
 */
export class SimulatedDisk {
  readonly #device: SimulatedDevice;
  readonly #tree = new FileTree();
  readonly #locks = new Map<string, SimulatedProcess>();
  readonly #processes = new Set<SimulatedProcess>();
  /** Told of every rename: what lies in a folder besides files goes with it. */
  onRename: (from: string, to: string) => void = () => {};

  constructor(device: SimulatedDevice) {
    this.#device = device;
    device.holds(() => this.size);
  }

  /** The disk as one process sees it. */
  door(process: SimulatedProcess): Disk {
    this.#processes.add(process);
    process.onKill(() => this.#bury(process));
    const device = this.#device;
    const tree = this.#tree;
    const label = (operation: string, path: string): string => `${process.name} ${operation} '${path}'`;
    const change = (operation: string, path: string, apply: () => void): Promise<void> =>
      device.submit(process, {
        kinds: NAME,
        label: label(operation, path),
        apply,
        interrupt: (_by, random) => {
          if (random.chance(500)) ignoringRefusal(apply);
        },
      });
    return {
      open: (given, options = {}) => {
        const path = normalizePath(given);
        return device.submit(process, {
          kinds: options.create === true ? NAME : READ,
          label: label('open', path),
          apply: () => {
            const exists = tree.has(path);
            if (exists && options.exclusive === true) throw deviceError('EEXIST', `open '${path}'`);
            const content = exists || options.create !== true ? tree.file(path) : tree.create(path);
            content.maybeEvict(device.random);
            const file = openFile(device, process, path, content);
            return options.readOnly === true ? readOnlyFile(file, path) : file;
          },
          interrupt: (_by, random) => {
            if (options.create === true && random.chance(500)) ignoringRefusal(() => tree.create(path));
          },
        });
      },
      list: (given) => {
        const path = normalizePath(given);
        return device.submit(process, {
          kinds: READ,
          label: label('list', path),
          apply: () => tree.list(path),
        });
      },
      makeDirectory: (given) => {
        const path = normalizePath(given);
        return change('mkdir', path, () => tree.makeFolder(path));
      },
      rename: (givenFrom, givenTo) => {
        const from = normalizePath(givenFrom);
        const to = normalizePath(givenTo);
        return change('rename', `${from}' -> '${to}`, () => {
          tree.rename(from, to);
          this.onRename(from, to);
        });
      },
      remove: (given) => {
        const path = normalizePath(given);
        return change('remove', path, () => tree.remove(path));
      },
      removeDirectory: (given) => {
        const path = normalizePath(given);
        return change('rmdir', path, () => tree.removeFolder(path));
      },
      syncDirectory: (given) => {
        const path = normalizePath(given);
        // What changed after the call is not covered, even if it completes earlier than the sync.
        const upToChange = tree.lastChange;
        return device.submit(process, {
          kinds: SYNC,
          label: label('sync', path),
          apply: () => tree.sync(tree.folder(path), upToChange),
        });
      },
      space: (given) => {
        const path = normalizePath(given);
        // The system counts this in memory: it takes no time of the device, and no fault of its operations strikes it.
        return device.submit(process, { kinds: [], label: label('statfs', path), apply: () => device.space });
      },
      lock: (given) => {
        const path = normalizePath(given);
        return device.submit(process, {
          kinds: READ,
          label: label('lock', path),
          apply: () => this.#lock(process, path),
        });
      },
    };
  }

  /**
   * What a crash does to the files once every process is dead. Without `power` the system lives on and
   * with it every completed write; with it, what was not synced is kept, lost or torn.
   * @throws Error when a process that uses this disk still lives.
   */
  crash(options: { readonly power: boolean }): void {
    this.#requireDead();
    if (options.power) this.#tree.losePower(this.#device.random);
  }

  /** Another disk is put in, with nothing on it. @throws Error when a process that uses this disk still lives. */
  wipe(): void {
    this.#requireDead();
    this.#tree.clear();
  }

  /** A copy of all files, such as a program makes that reads them at one moment. */
  copy(): TreeCopy {
    return this.#tree.copy();
  }

  /** Holds that copy and nothing else. @throws Error when a process that uses this disk still lives. */
  replace(copy: TreeCopy): void {
    this.#requireDead();
    this.#tree.replace(copy);
  }

  /** Bytes of all files. */
  get size(): number {
    return this.#tree.size;
  }

  /** The bytes of a file as a program would read them now. @throws ENOENT, EISDIR. */
  inspect(path: string): Uint8Array {
    const content = this.#tree.file(normalizePath(path));
    return content.read(0, content.size);
  }

  /** Flips the bits of `xor` in one byte of a file, as a failing medium does. @throws ENOENT, RangeError. */
  damage(path: string, offset: number, xor: number): void {
    this.#tree.file(normalizePath(path)).damage(offset, xor);
  }

  /**
   * The medium rots in so many durable places, each byte of the files as likely as any other; or in all of them.
   *
   * @returns how many places it found to rot.
   */
  rot(of: (path: string) => boolean, places: number | 'all', random: SimulatedRandom): number {
    const files = this.#tree.durableFiles().filter(([path]) => of(path));
    if (places === 'all') {
      return files.reduce((sum, [, content]) => sum + content.rotAll(), 0);
    }
    const bytes = files.reduce((sum, [, { durableSize }]) => sum + durableSize, 0);
    let hit = 0;
    for (let place = 0; place < places && bytes > 0; place += 1) {
      let offset = random.integer(0, bytes);
      const file = files.find(([, { durableSize }]) => {
        if (offset < durableSize) return true;
        offset -= durableSize;
        return false;
      });
      if (file?.[1].rot(offset, random)) hit += 1;
    }
    return hit;
  }

  #requireDead(): void {
    const [living] = this.#processes;
    if (living !== undefined) throw new Error(`process ${living.name} still lives: kill it first`);
  }

  #lock(process: SimulatedProcess, path: string): DirectoryLock {
    this.#tree.folder(path);
    const holder = this.#locks.get(path);
    if (holder !== undefined) throw deviceError('ELOCKED', `lock '${path}' (held by ${holder.name})`);
    if (!process.alive) throw deviceError('ELOCKED', `lock '${path}' (by a dead process)`);
    this.#locks.set(path, process);
    let held = true;
    return {
      release: () =>
        this.#device.submit(process, {
          kinds: READ,
          label: `${process.name} release '${path}'`,
          apply: () => {
            if (held) this.#locks.delete(path);
            held = false;
          },
        }),
    };
  }

  #bury(process: SimulatedProcess): void {
    this.#device.abandon(process);
    for (const [path, holder] of [...this.#locks]) {
      if (holder === process) this.#locks.delete(path);
    }
    this.#processes.delete(process);
  }
}

/** A change that was interrupted and could not have happened anyway. */
function ignoringRefusal(change: () => void): void {
  try {
    change();
  } catch {
    // Refused: the tree is as it was.
  }
}
