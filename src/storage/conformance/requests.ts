import { deepStrictEqual } from 'node:assert/strict';
import type { Configuration } from '../../raft/configuration.ts';
import type { Entry, Index, Term } from '../../raft/entry.ts';
import type { LogStorage, SnapshotMeta, SnapshotStorage, WriteRequest } from '../contract.ts';

/** One with a member in it, as a floor or a snapshot carries it. */
export const configuration: Configuration = {
  id: '1.1',
  voters: [{ id: 'n1', incarnation: '0123456789abcdef', address: 'host:1', metadata: { zone: 'a' } }],
  outgoing: [],
  learners: [{ id: 'n2', incarnation: 'fedcba9876543210', address: 'host:2' }],
  retired: [{ id: 'n2', incarnation: '00000000000000bb' }],
};

/** A write, but for its id. */
export type Change = Partial<Omit<WriteRequest, 'writeId'>>;

/** One log and the ids of its writes. */
export class Writer {
  readonly log: LogStorage;
  #sequence = 0;

  constructor(log: LogStorage) {
    this.log = log;
  }

  write(change: Change): Promise<void> {
    this.#sequence += 1;
    return this.log.write({ writeId: { boot: 1, sequence: this.#sequence }, entries: [], ...change });
  }
}

export const termOf = (term: Term): Change => ({ hardState: { term, votedFor: null } });

/** A command whose payload tells its place, unless another is given. */
export function command(index: Index, term: Term, payload?: Uint8Array): Entry {
  return { kind: 'command', index, term, payload: payload ?? Buffer.from(`${index} of term ${term}`) };
}

/** Commands `from` .. `to` inclusive. */
export function commands(from: Index, to: Index, term: Term): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => command(from + i, term));
}

/** Everything after the floor. */
export async function contentOf(log: LogStorage, lastIndex: Index): Promise<Entry[]> {
  const entries: Entry[] = [];
  let from = log.recovered.floor.index + 1;
  while (from <= lastIndex) {
    entries.push(...(await log.read({ from, to: lastIndex, bytesMax: 64 * 1024 })));
    from = (entries.at(-1)?.index ?? lastIndex) + 1;
  }
  return entries;
}

/** The whole content of a snapshot. */
export async function bytesOf(snapshots: SnapshotStorage, meta: SnapshotMeta): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < meta.size; offset += 1000) {
    parts.push(await snapshots.read(meta, { offset, length: 1000 }));
  }
  return Buffer.concat(parts);
}

/** Payloads may be of any subclass of Uint8Array. */
export function sameEntries(found: readonly Entry[], expected: readonly Entry[]): void {
  const plain = (entry: Entry): unknown =>
    entry.kind === 'command' || entry.kind === 'session'
      ? { ...entry, payload: Buffer.from(entry.payload).toString('hex') }
      : entry;
  deepStrictEqual(found.map(plain), expected.map(plain));
}
