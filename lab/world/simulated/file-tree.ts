import { deviceError } from './device.ts';
import { drawFates } from './fate.ts';
import { FileContent } from './file-content.ts';
import type { SimulatedRandom } from './random.ts';

/**
 * Folders and names, apart from what files hold. Programs see every change at once; on the medium a
 * change of names is sure only after a sync of the folder it happened in.
 */
export class FileTree {
  #root = new Folder();
  #unsynced: NameChange[] = [];
  #lastNumber = 0;

  /** @throws ENOENT, ENOTDIR, EISDIR. */
  file(path: string): FileContent {
    const node = this.#find(path);
    if (node instanceof Folder) throw deviceError('EISDIR', `open '${path}'`);
    return node;
  }

  folder(path: string): Folder {
    const node = this.#find(path);
    if (!(node instanceof Folder)) throw deviceError('ENOTDIR', `open '${path}'`);
    return node;
  }

  has(path: string): boolean {
    const { folder, name } = this.#place(path);
    return name === '' || folder.names.has(name);
  }

  /** @throws EEXIST when the name is taken. */
  create(path: string): FileContent {
    const { folder, name } = this.#place(path);
    if (name === '' || folder.names.has(name)) throw deviceError('EEXIST', `open '${path}'`);
    const content = new FileContent();
    this.#change([{ folder, name, node: content }]);
    return content;
  }

  /** Sorted by code unit. */
  list(path: string): string[] {
    return [...this.folder(path).names.keys()].sort();
  }

  /** With missing parents. @throws ENOTDIR when a file is in the way. */
  makeFolder(path: string): void {
    let folder = this.#root;
    for (const name of segments(path)) {
      const node = folder.names.get(name);
      if (node instanceof FileContent) throw deviceError('ENOTDIR', `mkdir '${path}'`);
      const next = node ?? new Folder();
      if (node === undefined) this.#change([{ folder, name, node: next }]);
      folder = next;
    }
  }

  /** One change, whole or not at all, also over a crash. @throws ENOENT, EISDIR, ENOTDIR, ENOTEMPTY, EINVAL. */
  rename(from: string, to: string): void {
    const source = this.#place(from);
    const node = this.#find(from);
    const target = this.#place(to);
    const what = `rename '${from}' -> '${to}'`;
    if (target.name === '') throw deviceError('EISDIR', what);
    const replaced = target.folder.names.get(target.name);
    if (node instanceof Folder) {
      if (`${to}/`.startsWith(`${from}/`) && to !== from) throw deviceError('EINVAL', what);
      if (replaced instanceof FileContent) throw deviceError('ENOTDIR', what);
      if (replaced !== undefined && replaced !== node && replaced.names.size > 0) {
        throw deviceError('ENOTEMPTY', what);
      }
    } else if (replaced instanceof Folder) throw deviceError('EISDIR', what);
    if (source.folder === target.folder && source.name === target.name) return;
    this.#change([
      { folder: target.folder, name: target.name, node },
      { folder: source.folder, name: source.name, node: null },
    ]);
  }

  remove(path: string): void {
    this.file(path);
    const { folder, name } = this.#place(path);
    this.#change([{ folder, name, node: null }]);
  }

  /** @throws ENOENT, ENOTDIR, ENOTEMPTY, EBUSY for the root. */
  removeFolder(path: string): void {
    const { folder, name } = this.#place(path);
    const there = this.folder(path);
    if (name === '') throw deviceError('EBUSY', `rmdir '${path}'`);
    if (there.names.size > 0) throw deviceError('ENOTEMPTY', `rmdir '${path}'`);
    this.#change([{ folder, name, node: null }]);
  }

  /** The number of the latest change of names; a sync covers those up to the one it was called after. */
  get lastChange(): number {
    return this.#lastNumber;
  }

  /** A rename between folders is durable once the folder of its new name is synced. */
  sync(folder: Folder, upToChange: number): void {
    const left: NameChange[] = [];
    for (const change of this.#unsynced) {
      if (change.number <= upToChange && change.steps[0]?.folder === folder) applySteps(change, 'durable');
      else left.push(change);
    }
    this.#unsynced = left;
  }

  /** Nothing is left, as on a new disk. */
  clear(): void {
    this.#root = new Folder();
    this.#unsynced = [];
  }

  /** What programs see now, folders before what is in them. */
  copy(): TreeCopy {
    const folders: string[] = [];
    const files: [string, Uint8Array][] = [];
    const walk = (folder: Folder, path: string): void => {
      for (const name of [...folder.names.keys()].sort()) {
        const node = folder.names.get(name);
        if (node instanceof Folder) {
          folders.push(`${path}/${name}`);
          walk(node, `${path}/${name}`);
        } else if (node !== undefined) files.push([`${path}/${name}`, node.read(0, node.size)]);
      }
    };
    walk(this.#root, '');
    return { folders, files };
  }

  /** In place of what there was, and durable. */
  replace({ folders, files }: TreeCopy): void {
    this.clear();
    for (const path of folders) this.makeFolder(path);
    for (const [path, bytes] of files) {
      const content = this.create(path);
      content.write(0, bytes.slice());
      content.sync(content.lastChange);
    }
    for (const change of this.#unsynced) applySteps(change, 'durable');
    this.#unsynced = [];
  }

  /** Files with a name that no power cut takes away, by path. */
  durableFiles(): [path: string, content: FileContent][] {
    const files: [string, FileContent][] = [];
    const walk = (folder: Folder, path: string): void => {
      for (const name of [...folder.durable.keys()].sort()) {
        const node = folder.durable.get(name);
        if (node === undefined || folder.names.get(name) !== node) continue;
        if (node instanceof Folder) walk(node, `${path}/${name}`);
        else files.push([`${path}/${name}`, node]);
      }
    };
    walk(this.#root, '');
    return files;
  }

  /** Bytes of all files. */
  get size(): number {
    return this.#root.size;
  }

  /** Unsynced changes of names are kept or undone, and every file loses its own. */
  losePower(random: SimulatedRandom): void {
    const fates = drawFates(this.#unsynced.length, random);
    this.#unsynced.forEach((change, i) => {
      if (fates[i] === 'kept') applySteps(change, 'durable');
    });
    this.#unsynced = [];
    this.#root.losePower(random);
  }

  #change(steps: readonly NameStep[]): void {
    this.#lastNumber += 1;
    const change = { number: this.#lastNumber, steps };
    applySteps(change, 'names');
    this.#unsynced.push(change);
  }

  #find(path: string): FileContent | Folder {
    let node: FileContent | Folder = this.#root;
    for (const name of segments(path)) {
      if (!(node instanceof Folder)) throw deviceError('ENOTDIR', `open '${path}'`);
      const next: FileContent | Folder | undefined = node.names.get(name);
      if (next === undefined) throw deviceError('ENOENT', `open '${path}'`);
      node = next;
    }
    return node;
  }

  #place(path: string): { folder: Folder; name: string } {
    const names = segments(path);
    const name = names.pop() ?? '';
    return { folder: this.folder(`/${names.join('/')}`), name };
  }
}

export class Folder {
  /** As programs see it. */
  readonly names = new Map<string, FileContent | Folder>();
  /** As it surely is on the medium. */
  readonly durable = new Map<string, FileContent | Folder>();

  /** Bytes of the files in it, as programs see them. */
  get size(): number {
    let bytes = 0;
    for (const node of this.names.values()) bytes += node.size;
    return bytes;
  }

  losePower(random: SimulatedRandom): void {
    this.names.clear();
    // In order of names: the order in a Map tells of history that the medium does not keep.
    for (const name of [...this.durable.keys()].sort()) {
      const node = this.durable.get(name);
      if (node === undefined) continue;
      this.names.set(name, node);
      node.losePower(random);
    }
  }
}

/** All that a disk held at one moment. */
export interface TreeCopy {
  readonly folders: readonly string[];
  readonly files: readonly (readonly [path: string, bytes: Uint8Array])[];
}

interface NameChange {
  readonly number: number;
  /** The first one names the folder whose sync makes the change durable. */
  readonly steps: readonly NameStep[];
}

interface NameStep {
  readonly folder: Folder;
  readonly name: string;
  /** null: the name goes. */
  readonly node: FileContent | Folder | null;
}

function applySteps(change: NameChange, view: 'names' | 'durable'): void {
  for (const { folder, name, node } of change.steps) {
    if (node === null) folder[view].delete(name);
    else folder[view].set(name, node);
  }
}

/** The normal form of a path; relative ones begin at the root. */
export function normalizePath(path: string): string {
  return `/${segments(path).join('/')}`;
}

function segments(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names;
}
