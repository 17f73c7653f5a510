import { expect } from 'vitest';
import type { HardState } from '../../../src/raft/effect.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import type { LogFloor, LogHole, LogStorage, WriteRequest } from '../../../src/storage/contract.ts';

export type Change = Partial<Omit<WriteRequest, 'writeId'>>;

/** What one log was after each of its writes, told by the simplest means: lists of entries. */
export class Truth {
  readonly group: string;
  /** All entries, those below the floor too. */
  readonly #states: (readonly Entry[])[] = [[]];
  hardState: HardState = { term: 0, votedFor: null };
  floor: LogFloor = { index: 0, term: 0, configuration: null };

  constructor(group: string) {
    this.group = group;
  }

  get entries(): readonly Entry[] {
    return this.#states.at(-1) ?? [];
  }

  /** Hands a write to the log; it is part of the truth from then on. */
  async write(log: LogStorage, change: Change): Promise<void> {
    const { hardState, cutFrom, entries = [], floor } = change;
    const kept = this.entries.slice(0, cutFrom === undefined ? undefined : cutFrom - 1);
    if (entries.length > 0 || cutFrom !== undefined) this.#states.push([...kept, ...entries]);
    this.hardState = hardState ?? this.hardState;
    this.floor = floor ?? this.floor;
    await log.write({ writeId: { boot: 1, sequence: 1 }, entries: [], ...change });
  }

  /** What the log says of itself; a word that is not true fails the test. */
  async outcomeOf(log: LogStorage, what: string): Promise<'exact' | 'holes' | 'tail-lost'> {
    const { recovered } = log;
    const { damage, lastIndex, hardState, floor } = recovered;
    expect({ hardState, floor }, what).toEqual({ hardState: this.hardState, floor: this.floor });
    const found = await contentOf(log, floor.index + 1, lastIndex);
    const state = this.#stateWith(found, damage?.end === null);
    expect(found, what).toEqual(state.filter(({ index }) => index > floor.index && index <= lastIndex));
    const termOf = (index: number): number | undefined =>
      recovered.runs.findLast(({ firstIndex }) => firstIndex <= index)?.term;
    expect(
      found.map(({ index }) => termOf(index)),
      what,
    ).toEqual(found.map(({ term }) => term));
    const configurations = found.filter(({ kind }) => kind === 'configuration');
    expect(recovered.configurations, what).toEqual(configurations);
    if (damage === null) expect(lastIndex, what).toBe(this.entries.length);
    if (damage === null) return 'exact';
    expect(damage.report, what).toMatch(/^shard \d+, group \w+: missing or changed/);
    if (damage.end === null) return 'tail-lost';
    await this.#checkHoles(log, what);
    return 'holes';
  }

  /** Fills every hole, piece by piece from its end, until nothing is missing. */
  async repair(log: LogStorage, pieceLength: number): Promise<void> {
    let left: { readonly damage: LogStorage['recovered']['damage'] } = log.recovered;
    while (left.damage !== null) {
      const piece = this.pieceOf(left.damage.holes, pieceLength);
      const now = await log.repair(piece);
      if (now === null) throw new Error('the hole is gone');
      left = now;
    }
  }

  /** The end of the last hole. */
  pieceOf(holes: readonly LogHole[], pieceLength: number): readonly Entry[] {
    const last = holes.at(-1);
    if (last === undefined) throw new Error('there is no hole');
    return this.entries.slice(Math.max(last.from - 1, last.to - pieceLength), last.to);
  }

  /** Of a log without its tail: that of an earlier time, since what is lost may have cut. */
  #stateWith(found: readonly Entry[], mayBeEarlier: boolean): readonly Entry[] {
    const states = mayBeEarlier ? this.#states : [this.entries];
    const text = JSON.stringify(found);
    const isPart = (state: readonly Entry[]): boolean => {
      const from = found[0]?.index ?? 1;
      return JSON.stringify(state.slice(from - 1, from - 1 + found.length)) === text;
    };
    return states.findLast(isPart) ?? this.entries;
  }

  async #checkHoles(log: LogStorage, what: string): Promise<void> {
    const { damage, lastIndex } = log.recovered;
    const { holes = [], end } = damage ?? {};
    const last = this.entries.at(-1);
    expect(end, what).toEqual({ index: last?.index, term: last?.term });
    expect(holes[0]?.from, what).toBe(lastIndex + 1);
    for (const { anchor } of holes) expect(anchor.term, what).toBe(this.entries[anchor.index - 1]?.term);
    for (const { index, term } of this.entries.slice(lastIndex)) {
      const isMissing = holes.some(({ from, to }) => from <= index && index <= to);
      expect(log.termAt(index), `${what}, term of ${index}`).toBe(isMissing ? null : term);
      const read = log.read({ from: index, to: index, bytesMax: 1 });
      if (isMissing) await expect(read, what).rejects.toMatchObject({ code: 'KONTIKI_ENTRIES_GONE' });
      else expect(await read, what).toEqual([this.entries[index - 1]]);
    }
  }
}

/** Entries `from` .. `to`; none when there are none. */
export async function contentOf(log: LogStorage, from: number, to: number): Promise<readonly Entry[]> {
  return from > to ? [] : log.read({ from, to, bytesMax: Number.MAX_SAFE_INTEGER });
}
