import type { HardState } from '../../src/raft/effect.ts';
import type { Entry, Index, Term } from '../../src/raft/entry.ts';
import type { LogFloor, WriteRequest } from '../../src/storage/contract.ts';

/** All of one group's log. Plain, and never changed. */
export interface LogState {
  readonly hardState: HardState;
  readonly floor: LogFloor;
  /** Those after the floor. */
  readonly entries: readonly Entry[];
}

export const emptyLog: LogState = {
  hardState: { term: 0, votedFor: null },
  floor: { index: 0, term: 0, configuration: null },
  entries: [],
};

export function lastIndexOf({ floor, entries }: LogState): Index {
  return floor.index + entries.length;
}

/** null where it holds nothing. */
export function termAt({ floor, entries }: LogState, index: Index): Term | null {
  return index === floor.index ? floor.term : (entries[index - floor.index - 1]?.term ?? null);
}

/**
 * What a write makes of a log, step by step, in the order in which its parts become durable: the hard state may be
 * found without the entries that came with it, and those without the floor.
 */
export function stepsOf(before: LogState, request: WriteRequest): LogState[] {
  const { hardState, cutFrom, entries, floor } = request;
  const steps: LogState[] = [];
  let state = before;
  if (hardState !== undefined) {
    state = { ...state, hardState };
    steps.push(state);
  }
  if (cutFrom !== undefined || entries.length > 0) {
    const kept =
      cutFrom === undefined ? state.entries : state.entries.slice(0, cutFrom - 1 - state.floor.index);
    state = { ...state, entries: [...kept, ...entries] };
    steps.push(state);
  }
  if (floor !== undefined) {
    const agrees = termAt(state, floor.index) === floor.term;
    state = {
      ...state,
      floor,
      entries: agrees ? state.entries.filter(({ index }) => index > floor.index) : [],
    };
    steps.push(state);
  }
  return steps.length === 0 ? [state] : steps;
}

/** The same text for the same log, and for no other. */
export function exactly({ hardState, floor, entries }: LogState): string {
  const { term, votedFor } = hardState;
  const vote = votedFor === null ? '-' : `${votedFor.id}/${votedFor.incarnation}`;
  const configuration = floor.configuration === null ? '-' : JSON.stringify(floor.configuration);
  return `${term} ${vote} ${floor.index} ${floor.term} ${configuration}\n${entries.map(exactEntry).join('\n')}`;
}

export function exactEntry(entry: Entry): string {
  const { kind, index, term } = entry;
  const content =
    entry.kind === 'configuration'
      ? JSON.stringify([entry.clusterId, entry.configuration])
      : entry.kind === 'noop'
        ? ''
        : Buffer.from(entry.payload.buffer, entry.payload.byteOffset, entry.payload.length).toString(
            'latin1',
          );
  return `${index} ${term} ${kind} ${content}`;
}

/** For people: `term 3, voted for n2; floor 4 of term 1; entries 5:1 6:3`. */
export function describeLog({ hardState, floor, entries }: LogState): string {
  const { term, votedFor } = hardState;
  const vote = votedFor === null ? 'no vote' : `voted for ${votedFor.id}`;
  const head = `term ${term}, ${vote}`;
  const below = floor.index === 0 ? '' : `; floor ${floor.index} of term ${floor.term}`;
  const held = entries.map(({ index, term: of }) => `${index}:${of}`);
  return `${head}${below}; ${held.length === 0 ? 'no entries' : `entries ${held.join(' ')}`}`;
}
