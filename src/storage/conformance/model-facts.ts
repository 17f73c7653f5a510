import { deepStrictEqual } from 'node:assert/strict';
import type { Entry, Index, Term } from '../../raft/entry.ts';
import type { InPlace } from '../conformance.ts';
import { type Change, command, contentOf, sameEntries, Writer } from './requests.ts';

const ROUNDS = 4;
const WRITES = 30;

/** Many random writes, several under way, against the simplest model of a log: a list. */
export function modelFacts(inPlace: InPlace): void {
  for (const seed of [1, 2]) {
    inPlace(`agrees with a list over many openings (random writes, seed ${seed})`, async (place) => {
      const random = generator(seed);
      const model = new Model(random);
      for (let round = 0; round < ROUNDS; round += 1) {
        const writer = new Writer(await (await place.reopen()).openLog('a'));
        await agree(writer, model);
        const writes: Promise<void>[] = [];
        for (let i = 0; i < WRITES; i += 1) {
          writes.push(writer.write(model.next()));
          if (random(4) === 0) await Promise.all(writes.splice(0));
        }
        await Promise.all(writes);
      }
      await agree(new Writer(await (await place.reopen()).openLog('a')), model);
    });
  }
}

async function agree({ log }: Writer, model: Model): Promise<void> {
  const { recovered } = log;
  deepStrictEqual(recovered.hardState.term, model.term);
  deepStrictEqual([recovered.floor.index, recovered.lastIndex], [model.floor, model.lastIndex]);
  sameEntries(await contentOf(log, recovered.lastIndex), model.entries);
  const found = model.entries.map(
    ({ index }) => recovered.runs.findLast(({ firstIndex }) => firstIndex <= index)?.term,
  );
  deepStrictEqual(
    found,
    model.entries.map(({ term }) => term),
  );
}

class Model {
  readonly #random: (below: number) => number;
  term: Term = 0;
  floor: Index = 0;
  /** Those after the floor. */
  entries: Entry[] = [];

  constructor(random: (below: number) => number) {
    this.#random = random;
  }

  get lastIndex(): Index {
    return this.floor + this.entries.length;
  }

  next(): Change {
    const random = this.#random;
    let change: Change = {};
    if (this.term === 0 || random(6) === 0) {
      this.term += 1;
      change = { hardState: { term: this.term, votedFor: null } };
    }
    if (this.entries.length > 0 && random(6) === 0) {
      const cutFrom = this.floor + 1 + random(this.entries.length);
      this.entries = this.entries.slice(0, cutFrom - 1 - this.floor);
      change = { ...change, cutFrom };
    }
    const added = Array.from({ length: random(4) }, (_, i) => {
      const payload = Buffer.alloc(random(random(8) === 0 ? 3000 : 40), random(256));
      return command(this.lastIndex + 1 + i, this.term, payload);
    });
    this.entries = [...this.entries, ...added];
    change = { ...change, entries: added };
    const at = this.entries[random(20) === 0 ? random(Math.max(1, this.entries.length)) : -1];
    if (at === undefined) return change;
    this.floor = at.index;
    this.entries = this.entries.filter(({ index }) => index > at.index);
    const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
    return { ...change, floor: { index: at.index, term: at.term, configuration } };
  }
}

/** Park and Miller's; a suite that fails must fail the same way again. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}
