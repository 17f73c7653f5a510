import type { Configuration } from '../../src/raft/configuration.ts';
import type { Entry, Index, Term } from '../../src/raft/entry.ts';
import type { GroupId } from '../../src/raft/identity.ts';
import type { WriteRequest } from '../../src/storage/contract.ts';
import type { ExpectedSnapshot } from './expectation.ts';
import { type LogState, lastIndexOf, termAt } from './log-state.ts';

/** Two shards out of two hold one each. */
export const groups = ['orders', 'users'] as const;
export const cluster = '00000000000000aa';
const voter = { id: 'n2', incarnation: '0123456789abcdef' };
const SHORT_BYTES = 24;
/** Over three sectors. */
const LONG_BYTES = 1100;

type Request = Omit<WriteRequest, 'writeId'>;

export function appendTo(log: LogState, group: GroupId, long = false): Request {
  const term = Math.max(1, log.hardState.term);
  const index = lastIndexOf(log) + 1;
  return {
    ...(term > log.hardState.term ? { hardState: { term, votedFor: null } } : {}),
    entries: [index === 1 ? configurationEntry(index, term) : command(group, { index, term, long })],
  };
}

export function voteIn(log: LogState): Request {
  return { hardState: { term: log.hardState.term + 1, votedFor: voter }, entries: [] };
}

/** As a follower does whose last entry is not the new leader's. */
export function replaceLastOf(log: LogState, group: GroupId): Request {
  const term = log.hardState.term + 1;
  const last = lastIndexOf(log);
  const index = last > log.floor.index ? last : last + 1;
  return {
    hardState: { term, votedFor: null },
    ...(index === last ? { cutFrom: index } : {}),
    entries: [command(group, { index, term, long: false })],
  };
}

/** Of the whole log. */
export function snapshotOf(log: LogState, group: GroupId): ExpectedSnapshot {
  const index = lastIndexOf(log);
  return snapshotAt(group, index, termAt(log, index) ?? log.floor.term);
}

/** As a leader sends it to a follower that lags far behind. */
export function snapshotBeyond(log: LogState, group: GroupId): ExpectedSnapshot {
  return snapshotAt(group, lastIndexOf(log) + 3, Math.max(1, log.hardState.term));
}

/** A floor that keeps the last entry where there are two, so that the log goes on across it. */
export function floorBelow(log: LogState): Request {
  const last = lastIndexOf(log);
  const index = log.entries.length > 1 ? last - 1 : last;
  const term = termAt(log, index) ?? log.floor.term;
  return { entries: [], floor: { index, term, configuration } };
}

export function floorAt(log: LogState, { index, term }: ExpectedSnapshot): Request {
  const own = Math.max(term, log.hardState.term);
  return {
    ...(own > log.hardState.term ? { hardState: { term: own, votedFor: null } } : {}),
    entries: [],
    floor: { index, term, configuration },
  };
}

const configuration: Configuration = {
  id: '1.1',
  voters: [{ id: 'n1', incarnation: '0123456789abcdef', address: 'a:1' }],
  outgoing: [],
  learners: [],
  retired: [],
};

function configurationEntry(index: Index, term: Term): Entry {
  return { kind: 'configuration', index, term, clusterId: cluster, configuration };
}

function command(
  group: GroupId,
  { index, term, long }: { readonly index: Index; readonly term: Term; readonly long: boolean },
): Entry {
  const payload = Buffer.alloc(long ? LONG_BYTES : SHORT_BYTES, '.');
  payload.write(`${group} ${index} of ${term}`);
  // So that its last sector is not the one before over again.
  payload.write('end', payload.length - 3);
  return { kind: 'command', index, term, payload };
}

function snapshotAt(group: GroupId, index: Index, term: Term): ExpectedSnapshot {
  return { index, term, configuration, content: Buffer.from(`all of ${group} up to ${index} of ${term}`) };
}
