import type { Disk } from '../../doors/disk.ts';
import type { HardState } from '../../raft/effect.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { DecodedRecord } from './record.ts';
import type { FoundHardState } from './recover.ts';
import { SlotFile } from './slot-file.ts';

export const hardStateNames = ['hard-state-1', 'hard-state-2'] as const;

interface Slot {
  readonly group: GroupId;
  readonly number: number;
  readonly hardState: HardState;
}

type Held = Slot | 'damaged' | null;

/**
 * Term and vote of every group, in two files. A new one is written and synced in one file, then in the
 * other: a crash can tear at most one of them, and then the other is the one that was acknowledged. Of
 * two valid ones the higher number wins.
 *
 * The number's parity says which file goes first, so that it is always the one that was last the time
 * before. Only that one can be other than it reads (its sync may have failed, and the cache still show
 * what the disk never got); written first, it leaves the sure one untouched until it is sure itself.
 */
export class HardStateFiles {
  /** null when both files are lost; then nothing is written. */
  readonly #copies: readonly [SlotFile, SlotFile] | null;
  readonly #slots: Held[] = [];
  /** The number to go on from, slot by slot. */
  readonly #numbers: number[] = [];
  #writing: Promise<void> = Promise.resolve();

  private constructor(copies: readonly [SlotFile, SlotFile] | null) {
    this.#copies = copies;
  }

  /** Whether at least one of the files is there: both are made before a storage's identity is. */
  static async exist(disk: Disk, directory: string): Promise<boolean> {
    const names = await disk.list(directory);
    return hardStateNames.some((name) => names.includes(name));
  }

  /** Makes what is missing; the caller syncs the folder. Changes nothing that is there. */
  static async open(disk: Disk, directory: string, seed: number): Promise<HardStateFiles> {
    const first = await SlotFile.open(disk, `${directory}/${hardStateNames[0]}`, seed);
    const second = await SlotFile.open(disk, `${directory}/${hardStateNames[1]}`, seed);
    const files = new HardStateFiles([first, second]);
    const [a, b] = [await first.readAll(), await second.readAll()];
    for (let place = 0; place < Math.max(a.length, b.length); place += 1) {
      const pair = [heldBy(a[place]), heldBy(b[place])] as const;
      files.#slots.push(better(pair));
      files.#numbers.push(numberToGoOnFrom(pair));
    }
    return files;
  }

  /** Both files are missing, and are not made anew: of no group is it known how it voted. */
  static lost(): HardStateFiles {
    const files = new HardStateFiles(null);
    files.#slots.push('damaged');
    return files;
  }

  /** Groups with a hard state that can be read. */
  get groups(): GroupId[] {
    return this.#slots.flatMap((slot) => (isSlot(slot) ? [slot.group] : []));
  }

  /** Nothing was ever written, or nothing that was ever told. */
  get isEmpty(): boolean {
    return this.#slots.every((slot) => slot === null);
  }

  /** A slot damaged in both files does not say whose it was, so it may be any group's that has none. */
  find(group: GroupId): FoundHardState {
    const slot = this.#slots[this.#placeOf(group)];
    if (isSlot(slot)) return { kind: 'found', hardState: slot.hardState };
    return this.#slots.includes('damaged') ? { kind: 'damaged' } : { kind: 'none' };
  }

  /** Makes what was read durable in both files, before anyone relies on it. */
  settle(): Promise<void> {
    return this.#enqueue(this.groups.map((group) => this.#placeOf(group)));
  }

  /** Durable when it resolves; one after another. */
  write(group: GroupId, hardState: HardState): Promise<void> {
    const place = this.#placeOf(group);
    this.#slots[place] = { group, number: 0, hardState };
    this.#numbers[place] ??= 0;
    return this.#enqueue([place]);
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => {});
    for (const copy of this.#copies ?? []) await copy.close();
  }

  #enqueue(places: readonly number[]): Promise<void> {
    if (places.length === 0) return Promise.resolve();
    this.#writing = this.#writing.then(() => this.#writeBoth(places));
    return this.#writing;
  }

  async #writeBoth(places: readonly number[]): Promise<void> {
    const copies = this.#copies;
    if (copies === null) throw new Error('both hard-state files are missing');
    for (const place of places) this.#numbers[place] = (this.#numbers[place] ?? 0) + 1;
    for (const turn of [0, 1]) {
      const touched = new Set<SlotFile>();
      for (const place of places) {
        const slot = this.#slots[place];
        const number = this.#numbers[place] ?? 0;
        if (!isSlot(slot)) continue;
        const copy = copies[(number + turn) % 2 === 1 ? 0 : 1];
        await copy.write(place, { ...slot, number });
        touched.add(copy);
      }
      for (const copy of touched) await copy.sync();
    }
  }

  /** The next free one for a group that has none. */
  #placeOf(group: GroupId): number {
    const place = this.#slots.findIndex((slot) => isSlot(slot) && slot.group === group);
    return place === -1 ? this.#slots.length : place;
  }
}

function heldBy(record: DecodedRecord | undefined): Held {
  if (record === undefined || record.kind === 'blank') return null;
  return record.kind === 'invalid' ? 'damaged' : (record.value as Slot);
}

function isSlot(held: Held | undefined): held is Slot {
  return held !== undefined && held !== null && held !== 'damaged';
}

function better([a, b]: readonly [Held, Held]): Held {
  if (isSlot(a)) return isSlot(b) && b.number > a.number ? b : a;
  if (isSlot(b)) return b;
  // Number 1 goes to the second only once it is durable in the first: nothing there, and it was never told.
  return b === null ? null : 'damaged';
}

/** Odd numbers begin with the first file. The next one begins with whichever file is not sure. */
function numberToGoOnFrom([a, b]: readonly [Held, Held]): number {
  const highest = Math.max(isSlot(a) ? a.number : 0, isSlot(b) ? b.number : 0);
  if (isSlot(a) && isSlot(b) && a.number === b.number) return highest;
  const isFirstUnsure = isSlot(a) ? isSlot(b) && a.number > b.number : true;
  const next = highest + 1;
  return (next % 2 === 1) === isFirstUnsure ? highest : highest + 1;
}
