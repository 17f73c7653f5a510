import type { Disk } from '../../doors/disk.ts';
import type { HardState } from '../../raft/effect.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { DecodedRecord } from './record.ts';
import type { FoundHardState } from './recover.ts';
import { SlotFile } from './slot-file.ts';

interface Slot {
  readonly group: GroupId;
  readonly number: number;
  readonly hardState: HardState;
}

/**
 * Term and vote of every group, in two files. A new one is written and synced in the first, then in the
 * second: a crash can tear at most one of them, and then the other is the one that was acknowledged. Of
 * two valid ones the higher number wins.
 */
export class HardStateFiles {
  readonly #copies: readonly [SlotFile, SlotFile];
  readonly #slots: (Slot | 'damaged' | null)[] = [];
  #writing: Promise<void> = Promise.resolve();

  private constructor(copies: readonly [SlotFile, SlotFile]) {
    this.#copies = copies;
  }

  static async open(disk: Disk, directory: string, seed: number): Promise<HardStateFiles> {
    const first = await SlotFile.open(disk, `${directory}/hard-state-1`, seed);
    const second = await SlotFile.open(disk, `${directory}/hard-state-2`, seed);
    const files = new HardStateFiles([first, second]);
    await files.#load();
    return files;
  }

  /** Groups with a hard state that can be read. */
  get groups(): GroupId[] {
    return this.#slots.flatMap((slot) => (slot === null || slot === 'damaged' ? [] : [slot.group]));
  }

  /** Nothing was ever written, or nothing that was ever told. */
  get isEmpty(): boolean {
    return this.#slots.every((slot) => slot === null);
  }

  /** A slot damaged in both files does not say whose it was, so it may be any group's that has none. */
  find(group: GroupId): FoundHardState {
    for (const slot of this.#slots) {
      if (slot !== null && slot !== 'damaged' && slot.group === group) {
        return { kind: 'found', hardState: slot.hardState };
      }
    }
    return this.#slots.includes('damaged') ? { kind: 'damaged' } : { kind: 'none' };
  }

  /** Durable when it resolves; one after another. */
  write(group: GroupId, hardState: HardState): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeBoth(group, hardState));
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => {});
    for (const copy of this.#copies) await copy.close();
  }

  async #writeBoth(group: GroupId, hardState: HardState): Promise<void> {
    let place = this.#slots.findIndex((slot) => slot !== null && slot !== 'damaged' && slot.group === group);
    if (place === -1) place = this.#slots.length;
    const known = this.#slots[place];
    const number = known === undefined || known === null || known === 'damaged' ? 1 : known.number + 1;
    const slot: Slot = { group, number, hardState };
    for (const copy of this.#copies) {
      await copy.write(place, slot);
      await copy.sync();
    }
    this.#slots[place] = slot;
  }

  async #load(): Promise<void> {
    const [first, second] = await Promise.all([this.#copies[0].readAll(), this.#copies[1].readAll()]);
    for (let place = 0; place < Math.max(first.length, second.length); place += 1) {
      const pair = [asSlot(first[place]), asSlot(second[place])] as const;
      const slot = better(pair);
      this.#slots.push(slot);
      if (slot === null || slot === 'damaged' || sameNumber(pair)) continue;
      // Whichever is behind is brought up, or the next write could tear the only good one.
      for (const [at, copy] of this.#copies.entries()) {
        const held = pair[at];
        if (held !== undefined && (typeof held === 'string' || held === null || held.number < slot.number)) {
          await copy.write(place, slot);
          await copy.sync();
        }
      }
    }
  }
}

function asSlot(record: DecodedRecord | undefined): Slot | 'damaged' | null {
  if (record === undefined || record.kind === 'blank') return null;
  return record.kind === 'invalid' ? 'damaged' : (record.value as Slot);
}

function sameNumber(pair: readonly [Slot | 'damaged' | null, Slot | 'damaged' | null]): boolean {
  const [a, b] = pair;
  return a !== null && b !== null && a !== 'damaged' && b !== 'damaged' && a.number === b.number;
}

function better(pair: readonly [Slot | 'damaged' | null, Slot | 'damaged' | null]): Slot | 'damaged' | null {
  const [a, b] = pair;
  if (a !== null && a !== 'damaged') {
    return b !== null && b !== 'damaged' && b.number > a.number ? b : a;
  }
  if (b !== null && b !== 'damaged') return b;
  // The second is written only after the first is durable: nothing in it, and a torn first, was never told.
  return b === null ? null : 'damaged';
}
