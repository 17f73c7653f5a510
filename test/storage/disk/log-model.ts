import type { SimulatedRandom } from '../../../lab/world/simulated/random.ts';
import type { HardState } from '../../../src/raft/effect.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import type { RequestId } from '../../../src/raft/identity.ts';
import type { LogFloor, LogStorage, WriteRequest } from '../../../src/storage/contract.ts';
import { EntriesGone } from '../../../src/storage/errors.ts';

interface State {
  readonly hardState: HardState;
  readonly floor: LogFloor;
  /** Those after the floor. */
  readonly entries: readonly Entry[];
}

/**
 * What one log may look like after a crash, told by the simplest means: the whole state after each write
 * since the last opening. The hard state of a write may be found without its entries, and those without
 * its floor, since they become durable in that order, but nothing without the writes before it.
 */
export class LogModel {
  readonly group: string;
  #states: (State & { readonly beforeFloor?: State })[] = [
    {
      hardState: { term: 0, votedFor: null },
      floor: { index: 0, term: 0, configuration: null },
      entries: [],
    },
  ];
  /** The last state that was acknowledged. */
  #acknowledged = 0;
  #payloads = 0;

  constructor(group: string) {
    this.group = group;
  }

  /** A random write that continues the log. */
  next(
    random: SimulatedRandom,
    writeId: RequestId,
  ): { readonly request: WriteRequest; readonly acknowledge: () => void } {
    const before = this.#last;
    const changesTerm = before.hardState.term === 0 || random.chance(150);
    const hardState: HardState = changesTerm
      ? {
          term: before.hardState.term + 1,
          votedFor: random.chance(500) ? { id: 'n2', incarnation: '0123456789abcdef' } : null,
        }
      : before.hardState;
    const end = before.floor.index + before.entries.length;
    const cuts = before.entries.length > 0 && random.chance(150);
    const cutFrom = cuts ? random.integer(before.floor.index + 1, end + 1) : end + 1;
    const kept = before.entries.slice(0, cutFrom - 1 - before.floor.index);
    const count = random.chance(150) ? 0 : random.integer(1, 4);
    const added = Array.from({ length: count }, (_, i) => this.#entry(cutFrom + i, hardState.term, random));
    const entries = [...kept, ...added];
    const movesFloor = random.chance(entries.length > 6 ? 150 : 30);
    const floor = movesFloor ? nextFloor(before.floor, entries, hardState.term, random) : before.floor;
    const keepsSuffix = floor.index === before.floor.index || entries.some((entry) => isAt(entry, floor));
    this.#states.push({
      hardState,
      floor,
      entries: keepsSuffix ? entries.filter(({ index }) => index > floor.index) : [],
      ...(movesFloor ? { beforeFloor: { hardState, floor: before.floor, entries } } : {}),
    });
    const number = this.#states.length - 1;
    const states = this.#states;
    return {
      request: {
        writeId,
        entries: added,
        ...(changesTerm ? { hardState } : {}),
        ...(cuts ? { cutFrom } : {}),
        ...(movesFloor ? { floor } : {}),
      },
      acknowledge: () => {
        if (states !== this.#states) throw new Error('a write of an earlier generation was acknowledged');
        if (number !== this.#acknowledged + 1) throw new Error(`write ${number} came out of order`);
        this.#acknowledged = number;
      },
    };
  }

  /** @throws Error when what was found is not what some admissible prefix of the writes made. */
  async checkRecovered(log: LogStorage): Promise<void> {
    const { recovered } = log;
    const from = recovered.floor.index + 1;
    const found: State = {
      hardState: recovered.hardState,
      floor: recovered.floor,
      entries:
        recovered.lastIndex < from
          ? []
          : await log.read({ from, to: recovered.lastIndex, bytesMax: Number.MAX_SAFE_INTEGER }),
    };
    const text = JSON.stringify(found);
    const candidates = this.#states.slice(this.#acknowledged);
    const admissible = candidates.flatMap((state, i) => {
      const next = candidates[i + 1];
      if (next === undefined) return [state];
      const halfway = next.beforeFloor === undefined ? [] : [next.beforeFloor];
      return [state, { ...state, hardState: next.hardState }, ...halfway];
    });
    const match = admissible.find(
      ({ hardState, floor, entries }) => JSON.stringify({ hardState, floor, entries }) === text,
    );
    if (match === undefined) {
      throw new Error(
        `group ${this.group}: found ${describe(found)}; acknowledged ${describe(candidates[0] ?? found)}; ` +
          `then written ${candidates.slice(1).map(describe).join(' | ')}`,
      );
    }
    const terms = found.entries.map(({ index, term }) => ({ index, term }));
    for (const { index, term } of terms) {
      const run = recovered.runs.filter(({ firstIndex }) => firstIndex <= index).at(-1);
      if (run?.term !== term) throw new Error(`entry ${index} has term ${term}, its run says ${run?.term}`);
    }
    this.#states = [found];
    this.#acknowledged = 0;
  }

  /** Once every write is acknowledged. @throws Error when reading does not show what was written. */
  async checkLive(log: LogStorage): Promise<void> {
    const { floor, entries } = this.#last;
    const end = floor.index + entries.length;
    const found =
      entries.length === 0 ? [] : await log.read({ from: floor.index + 1, to: end, bytesMax: 1e9 });
    if (JSON.stringify(found) !== JSON.stringify(entries)) {
      throw new Error(
        `group ${this.group}: read ${describe({ ...this.#last, entries: found })}; written ${describe(this.#last)}`,
      );
    }
    for (const index of [floor.index, end + 1]) {
      const gone = await log.read({ from: index, to: index, bytesMax: 1 }).catch((error: unknown) => error);
      if (!(gone instanceof EntriesGone)) throw new Error(`entry ${index} is there, or not gone: ${gone}`);
    }
  }

  get #last(): State {
    const last = this.#states.at(-1);
    if (last === undefined) throw new Error('a model without a state');
    return last;
  }

  #entry(index: number, term: number, random: SimulatedRandom): Entry {
    if (random.chance(100)) return { kind: 'noop', index, term };
    this.#payloads += 1;
    const payload = Buffer.alloc(random.chance(200) ? 1500 : 20, 'x');
    payload.write(`${this.group}${this.#payloads}`);
    return { kind: random.chance(100) ? 'session' : 'command', index, term, payload };
  }
}

function isAt(entry: Entry, { index, term }: { readonly index: number; readonly term: number }): boolean {
  return entry.index === index && entry.term === term;
}

/** Where it is, within the log, at its end, beyond it, or where the log has another term. */
function nextFloor(
  floor: LogFloor,
  entries: readonly Entry[],
  ownTerm: number,
  random: SimulatedRandom,
): LogFloor {
  const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
  const entry = entries[random.chance(300) ? entries.length - 1 : random.integer(0, entries.length + 1)];
  const way = random.integer(0, 10);
  if (way === 0) return { index: floor.index, term: floor.term, configuration: floor.configuration };
  if (way === 1 || entry === undefined) {
    const end = floor.index + entries.length;
    return { index: end + random.integer(1, 20), term: ownTerm, configuration };
  }
  // Terms never go back in a log, so one of another term may only be of a later one.
  if (way === 2) return { index: entry.index, term: random.integer(entry.term, ownTerm + 1), configuration };
  return { index: entry.index, term: entry.term, configuration };
}

function describe({ hardState, floor, entries }: State): string {
  const told = entries.map((e) =>
    e.kind === 'command'
      ? `${e.term}:${Buffer.from(e.payload.subarray(0, 5)).toString('latin1')}`
      : `${e.term}`,
  );
  return `term ${hardState.term}, floor ${floor.index}, [${told.join(' ')}]`;
}
