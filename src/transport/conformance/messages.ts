import type { Message } from '../../raft/message.ts';

export function heartbeat(round: number): Message {
  return { kind: 'Heartbeat', term: 1, round, leaderCommit: 0, freshness: null };
}

export function append(payloads: readonly Uint8Array[]): Message {
  return {
    kind: 'AppendEntries',
    term: 3,
    prevLogIndex: 7,
    prevLogTerm: 2,
    entries: payloads.map((payload, i) => ({ kind: 'command', index: 8 + i, term: 3, payload })),
    leaderCommit: 6,
  };
}

export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31) % 251);
}

export const query: Message = { kind: 'BootstrapQuery', members: [{ id: 'a', address: 'a:1' }] };

const member = { id: 'a', incarnation: '00000000000000aa', address: 'a:1' };

export const oneOfEachKind: readonly Message[] = [
  { kind: 'RequestPreVote', term: 4, lastLogIndex: 9, lastLogTerm: 3 },
  { kind: 'PreVoteResponse', term: 4, granted: true },
  { kind: 'RequestVote', term: 4, lastLogIndex: 0, lastLogTerm: 0, leadershipTransfer: false },
  { kind: 'VoteResponse', term: 4, granted: false },
  {
    kind: 'AppendEntries',
    term: 4,
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [
      {
        kind: 'configuration',
        index: 1,
        term: 1,
        clusterId: 'c0c0c0c0c0c0c0c0',
        configuration: { id: '1.1', voters: [member], outgoing: [], learners: [], retired: [] },
      },
      { kind: 'noop', index: 2, term: 4 },
      { kind: 'command', index: 3, term: 4, payload: new Uint8Array([0, 255]) },
    ],
    leaderCommit: 2,
  },
  append([]),
  { kind: 'AppendEntriesResponse', accepted: true, term: 4, matchIndex: 2, verifiedIndex: 3 },
  { kind: 'AppendEntriesResponse', accepted: false, term: 5, rejectedIndex: 7, hintIndex: 2, hintTerm: 1 },
  heartbeat(12),
  { kind: 'Heartbeat', term: 4, round: 13, leaderCommit: 2, freshness: { boot: 2, stamp: 81.25, index: 2 } },
  {
    kind: 'HeartbeatResponse',
    term: 4,
    round: 12,
    matchIndex: 2,
    verifiedIndex: 3,
    promiseMs: 312.5,
    stamp: 0,
  },
  {
    kind: 'InstallSnapshot',
    term: 4,
    snapshot: {
      index: 9,
      term: 3,
      configuration: { id: '1.1', voters: [member], outgoing: [], learners: [], retired: [] },
      size: 6,
      digest: 'd1'.repeat(32),
    },
    offset: 2,
    data: new Uint8Array([0, 255, 7]),
  },
  { kind: 'InstallSnapshotResponse', term: 4, snapshotIndex: 9, snapshotTerm: 3, offset: 5 },
  { kind: 'TimeoutNow', term: 4 },
  { kind: 'ReadIndexRequest', term: 4, readId: { boot: 2, sequence: 17 }, lease: true },
  { kind: 'ReadIndexResponse', term: 4, readId: { boot: 2, sequence: 17 }, index: 9 },
  { kind: 'JoinRequest', address: 'a:1', metadata: { zone: 'Zürich' }, lastLogIndex: 0 },
  { kind: 'JoinAnswer', answer: 'ask-leader', boot: 3, leader: { id: 'b', address: 'b:1' } },
  { kind: 'JoinAnswer', answer: 'waiting-for-operator', boot: 3, leader: null },
  query,
  { kind: 'BootstrapAnswer', empty: false, otherMembers: null },
  { kind: 'BootstrapAnswer', empty: true, otherMembers: [{ id: 'b', address: 'b:1' }] },
];
