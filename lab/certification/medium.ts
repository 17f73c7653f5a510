import type { DatabaseImage, Image } from './image.ts';
import type { JournalRecord } from './journal.ts';
import { mediumError } from './medium-error.ts';
import { MediumFile } from './medium-file.ts';
import { RecordedDatabase } from './recorded-database.ts';

export type MediumNode = MediumFile | MediumFolder;

export class MediumFolder {
  /** As programs see it. */
  readonly names = new Map<string, MediumNode>();
  /** As it surely is on the medium. */
  readonly durable = new Map<string, MediumNode>();
}

/** A change of names that no sync of its folder covered yet: whole or not at all, also over a crash. */
export interface NameChange {
  readonly number: number;
  readonly record: JournalRecord;
  /** The first one names the folder whose sync makes the change durable. */
  readonly steps: readonly NameStep[];
}

export interface NameStep {
  readonly folder: MediumFolder;
  readonly name: string;
  /** null: the name goes. */
  readonly node: MediumNode | null;
}

/**
 * The files, folders and databases of one machine: as programs see them, as they surely are on the medium, and
 * all changes between the two. It promises what the door of the disk promises, and no more.
 */
export class Medium {
  readonly root = new MediumFolder();
  readonly databases = new Map<string, RecordedDatabase>();
  unsyncedNames: NameChange[] = [];
  readonly unsyncedFiles = new Set<MediumFile>();
  /** Told of each change, right after it took effect. */
  onRecord: ((record: JournalRecord) => void) | null = null;
  #lastChange = 0;

  constructor(image: Image) {
    for (const path of image.folders) this.#restore(path, new MediumFolder());
    for (const [path, bytes] of image.files) this.#restore(path, new MediumFile(path, bytes));
    for (const [path, database] of image.databases) this.databases.set(path, new RecordedDatabase(database));
  }

  /** The number of the latest change; a sync covers those up to the one it was called after. */
  get lastChange(): number {
    return this.#lastChange;
  }

  /** @throws ENOENT, ENOTDIR, EISDIR. */
  file(path: string): MediumFile {
    const node = this.#find(path);
    if (node instanceof MediumFolder) throw mediumError('EISDIR', `open '${path}'`);
    return node;
  }

  /** @throws ENOENT, ENOTDIR. */
  folder(path: string): MediumFolder {
    const node = this.#find(path);
    if (node instanceof MediumFile) throw mediumError('ENOTDIR', `open '${path}'`);
    return node;
  }

  has(path: string): boolean {
    const { folder, name } = this.#place(path);
    return folder.names.has(name);
  }

  create(path: string): MediumFile {
    const file = new MediumFile(path, new Uint8Array());
    this.#changeNames({ kind: 'create', path }, [{ ...this.#place(path), node: file }]);
    return file;
  }

  makeFolder(path: string): void {
    let made = '';
    for (const name of segments(path)) {
      made += `/${name}`;
      const place = this.#place(made);
      const node = place.folder.names.get(name);
      if (node instanceof MediumFile) throw mediumError('ENOTDIR', `mkdir '${path}'`);
      if (node !== undefined) continue;
      this.#changeNames({ kind: 'make folder', path: made }, [{ ...place, node: new MediumFolder() }]);
    }
  }

  rename(from: string, to: string): void {
    const node = this.#find(from);
    const [source, target] = [this.#place(from), this.#place(to)];
    const what = `rename '${from}' -> '${to}'`;
    const replaced = target.folder.names.get(target.name);
    if (node === replaced) return;
    if (node instanceof MediumFolder) {
      if (`${to}/`.startsWith(`${from}/`)) throw mediumError('EINVAL', what);
      if (replaced instanceof MediumFile) throw mediumError('ENOTDIR', what);
      if (replaced !== undefined && replaced.names.size > 0) throw mediumError('ENOTEMPTY', what);
    } else if (replaced instanceof MediumFolder) throw mediumError('EISDIR', what);
    this.#changeNames({ kind: 'rename', path: from, to }, [
      { ...target, node },
      { ...source, node: null },
    ]);
    for (const [path, database] of [...this.databases]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.databases.delete(path);
      this.databases.set(`${to}${path.slice(from.length)}`, database);
    }
  }

  remove(path: string): void {
    this.file(path);
    this.#changeNames({ kind: 'remove', path }, [{ ...this.#place(path), node: null }]);
  }

  removeFolder(path: string): void {
    if (this.folder(path).names.size > 0) throw mediumError('ENOTEMPTY', `rmdir '${path}'`);
    this.#changeNames({ kind: 'remove folder', path }, [{ ...this.#place(path), node: null }]);
  }

  write(place: { readonly file: MediumFile; readonly path: string }, offset: number, data: Uint8Array): void {
    place.file.change({ number: this.#next(), kind: 'write', offset, data: Buffer.from(data) });
    this.unsyncedFiles.add(place.file);
    this.#record({ kind: 'write', path: place.path, offset, length: data.length });
  }

  truncate(place: { readonly file: MediumFile; readonly path: string }, length: number): void {
    place.file.change({ number: this.#next(), kind: 'resize', length });
    this.unsyncedFiles.add(place.file);
    this.#record({ kind: 'truncate', path: place.path });
  }

  sync(place: { readonly file: MediumFile; readonly path: string }, upTo: number): void {
    place.file.sync(upTo);
    if (place.file.unsynced.length === 0) this.unsyncedFiles.delete(place.file);
    this.#record({ kind: 'sync', path: place.path });
  }

  /** A rename between folders is durable once the folder of its new name is synced. */
  syncFolder(path: string, upTo: number): void {
    const folder = this.folder(path);
    const isCovered = ({ number, steps }: NameChange): boolean =>
      number <= upTo && steps[0]?.folder === folder;
    for (const { steps } of this.unsyncedNames.filter(isCovered)) apply(steps, 'durable');
    this.unsyncedNames = this.unsyncedNames.filter((change) => !isCovered(change));
    this.#record({ kind: 'sync folder', path });
  }

  writtenToDatabase(path: string, write: { readonly changes: number; readonly synced: boolean }): void {
    this.#record({ kind: 'database write', path, ...write });
  }

  /** All that programs see. */
  image(): Image {
    return imageOf({
      folder: this.root,
      namesOf: ({ names }) => names,
      bytesOf: ({ cached }) => cached,
      databases: [...this.databases].map(([path, database]) => [path, database.image()]),
    });
  }

  /** What is sure to be there after a power cut, and nothing else. */
  durableImage(): Image {
    return imageOf({
      folder: this.root,
      namesOf: ({ durable }) => durable,
      bytesOf: ({ durable }) => durable,
      databases: [...this.databases].map(([path, database]) => [path, database.image(0)]),
    });
  }

  #restore(path: string, node: MediumNode): void {
    const { folder, name } = this.#place(path);
    folder.names.set(name, node);
    folder.durable.set(name, node);
  }

  #changeNames(record: JournalRecord, steps: readonly NameStep[]): void {
    apply(steps, 'names');
    this.unsyncedNames.push({ number: this.#next(), record, steps });
    this.#record(record);
  }

  #next(): number {
    this.#lastChange += 1;
    return this.#lastChange;
  }

  #record(record: JournalRecord): void {
    this.onRecord?.(record);
  }

  #find(path: string): MediumNode {
    let node: MediumNode = this.root;
    for (const name of segments(path)) {
      if (node instanceof MediumFile) throw mediumError('ENOTDIR', `open '${path}'`);
      const next: MediumNode | undefined = node.names.get(name);
      if (next === undefined) throw mediumError('ENOENT', `open '${path}'`);
      node = next;
    }
    return node;
  }

  #place(path: string): { readonly folder: MediumFolder; readonly name: string } {
    const cut = path.lastIndexOf('/');
    return { folder: this.folder(path.slice(0, cut)), name: path.slice(cut + 1) };
  }
}

/** What can be reached from a folder, by names and bytes of one's choice. */
export function imageOf(view: {
  readonly folder: MediumFolder;
  readonly namesOf: (folder: MediumFolder) => ReadonlyMap<string, MediumNode>;
  readonly bytesOf: (file: MediumFile) => Uint8Array;
  readonly databases: Iterable<readonly [string, DatabaseImage]>;
}): Image {
  const folders: string[] = [];
  const files = new Map<string, Uint8Array>();
  const walk = (folder: MediumFolder, at: string): void => {
    // In order of names: the order in a Map tells of history that the medium does not keep.
    for (const [name, node] of [...view.namesOf(folder)].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const path = `${at}/${name}`;
      if (node instanceof MediumFile) files.set(path, view.bytesOf(node));
      else {
        folders.push(path);
        walk(node, path);
      }
    }
  };
  walk(view.folder, '');
  // The files of a database lie in its folder.
  const databases = new Map([...view.databases].filter(([path]) => folders.includes(path)));
  return { folders, files, databases };
}

export function apply(steps: readonly NameStep[], view: 'names' | 'durable'): void {
  for (const { folder, name, node } of steps) {
    if (node === null) folder[view].delete(name);
    else folder[view].set(name, node);
  }
}

function segments(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}
