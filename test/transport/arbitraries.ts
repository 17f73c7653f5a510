import fc from 'fast-check';
import type { Configuration, Metadata } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/entry.ts';
import type {
  AppendEntries,
  BootstrapMember,
  Envelope,
  InstallSnapshot,
  JoinOutcome,
  Message,
  ProvenFreshness,
  RepairEntries,
  RepairRefusal,
} from '../../src/raft/message.ts';

/** Plain objects only: the decoder makes no others, and comparisons are strict. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });

const nameCharacters = [...'ABCXYZabcxyz019._-'];
const name = fc.string({ unit: fc.constantFrom(...nameCharacters), minLength: 1, maxLength: 64 });
const hexId = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 16, maxLength: 16 });

/** Integers around every width that the header writes differently. */
const number = fc.oneof(
  fc.nat(200),
  fc.constantFrom(127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 2),
);
const positive = number.map((n) => n + 1);

/** An index with the term of its entry, in a log of someone whose term is `term`. */
const positionIn = (term: number): fc.Arbitrary<{ index: number; term: number }> =>
  fc.oneof(
    fc.constant({ index: 0, term: 0 }),
    record({ index: positive, term: fc.integer({ min: 1, max: term }) }),
  );

const match = fc.tuple(number, number).map(([a, b]) => ({
  matchIndex: Math.min(a, b),
  verifiedIndex: Math.max(a, b),
}));

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits });

const metadataText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('', '7', '__proto__', '\uFEFFx', 'x'.repeat(255), 'ü'.repeat(255), '\u{1F600}'.repeat(127)),
);

const metadata: fc.Arbitrary<Metadata> = fc
  .array(fc.tuple(metadataText, metadataText), { maxLength: 32 })
  .map((pairs) => Object.fromEntries(pairs));

const memberId = record({ id: name, incarnation: hexId });

const configuration: fc.Arbitrary<Configuration> = (() => {
  const plain = { id: name, incarnation: hexId, address: fc.string({ unit: 'grapheme', maxLength: 20 }) };
  const members = fc.array(fc.oneof(record(plain), record({ ...plain, metadata })), { maxLength: 3 });
  return record({
    id: fc.tuple(number, number).map(([index, term]) => `${index}.${term}`),
    voters: members,
    outgoing: members,
    learners: members,
    retired: fc.array(memberId, { maxLength: 3 }),
  });
})();

type EntryBody =
  | { readonly kind: 'command' | 'session'; readonly payload: Uint8Array }
  | { readonly kind: 'noop' }
  | { readonly kind: 'configuration'; readonly clusterId: string; readonly configuration: Configuration };

const entryBody: fc.Arbitrary<EntryBody> = fc.oneof(
  {
    weight: 5,
    arbitrary: record({
      kind: fc.constantFrom('command' as const, 'session' as const),
      payload: fc.uint8Array({ maxLength: 40 }),
    }),
  },
  { weight: 2, arbitrary: record({ kind: fc.constant('noop' as const) }) },
  {
    weight: 1,
    arbitrary: record({ kind: fc.constant('configuration' as const), clusterId: hexId, configuration }),
  },
);

const appendEntries: fc.Arbitrary<AppendEntries> = fc
  .record({
    bodies: fc.array(record({ body: entryBody, termStep: fc.constantFrom(0, 0, 0, 1, 300) }), {
      maxLength: 40,
    }),
    prevLogIndex: fc.nat(2 ** 33),
    prevLogTerm: fc.integer({ min: 1, max: 2 ** 33 }),
    leaderCommit: number,
    ahead: fc.nat(70_000),
  })
  .map(({ bodies, prevLogIndex, prevLogTerm, leaderCommit, ahead }) => {
    const prevTerm = prevLogIndex === 0 ? 0 : prevLogTerm;
    let term = Math.max(1, prevTerm);
    const entries = bodies.map(({ body, termStep }, i): Entry => {
      term += termStep;
      return { ...body, index: prevLogIndex + 1 + i, term };
    });
    return {
      kind: 'AppendEntries',
      term: term + ahead,
      prevLogIndex,
      prevLogTerm: prevTerm,
      entries,
      leaderCommit,
    };
  });

const repairEntries: fc.Arbitrary<RepairEntries> = fc
  .record({
    requestId: record({ boot: number, sequence: number }),
    bodies: fc.array(record({ body: entryBody, termStep: fc.constantFrom(0, 0, 0, 1, 300) }), {
      minLength: 1,
      maxLength: 40,
    }),
    firstIndex: positive.map((index) => Math.min(index, 2 ** 52)),
    firstTerm: fc.integer({ min: 1, max: 2 ** 33 }),
  })
  .map(({ requestId, bodies, firstIndex, firstTerm }) => {
    let term = firstTerm;
    const entries = bodies.map(({ body, termStep }, i): Entry => {
      term += termStep;
      return { ...body, index: firstIndex + i, term };
    });
    return { kind: 'RepairAnswer', requestId, held: true, entries };
  });

const installSnapshot: fc.Arbitrary<InstallSnapshot> = fc
  .record({
    position: positive.chain((term) =>
      record({ term: fc.constant(term), ofTerm: fc.integer({ min: 1, max: term }) }),
    ),
    index: positive,
    configuration,
    digest: hex(64),
    offset: fc.oneof(fc.nat(300), fc.constantFrom(2 ** 32, 2 ** 40)),
    data: fc.uint8Array({ maxLength: 60 }),
    rest: fc.constantFrom(0, 0, 1, 300, 2 ** 33),
  })
  .map(({ position, index, configuration, digest, offset, data, rest }) => ({
    kind: 'InstallSnapshot',
    term: position.term,
    snapshot: { index, term: position.ofTerm, configuration, size: offset + data.length + rest, digest },
    offset,
    data,
  }));

const address = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 255 });

const bootstrapMembers: fc.Arbitrary<BootstrapMember[]> = fc.oneof(
  { weight: 5, arbitrary: fc.array(record({ id: name, address }), { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.array(record({ id: name, address }), { minLength: 15, maxLength: 64 }) },
);

const otherMembers: fc.Arbitrary<BootstrapMember[] | null> = fc.option(bootstrapMembers);
const someLeader: fc.Arbitrary<BootstrapMember | null> = fc.option(record({ id: name, address }));

const joinOutcome = fc.constantFrom<JoinOutcome[]>(
  'ask-leader',
  'listed',
  'replacing',
  'waiting-for-operator',
  'waiting-for-change',
  'member-is-alive',
  'retired',
  'boot-went-back',
  'other-cluster',
);

const voteRequest = <K extends 'RequestPreVote' | 'RequestVote'>(kind: K) =>
  positive.chain((term) =>
    positionIn(term).map((last) => ({ kind, term, lastLogIndex: last.index, lastLogTerm: last.term })),
  );

const voteAnswer = <K extends 'PreVoteResponse' | 'VoteResponse'>(kind: K) =>
  record({ kind: fc.constant(kind), term: number, granted: fc.boolean() });

const moment = fc.oneof(number, fc.double({ min: 0.001, max: 1e6, noNaN: true }));

const readId = record({ boot: number, sequence: number });

/** Every kind of message, each as an honest replica could send it. */
export const messages = {
  RequestPreVote: voteRequest('RequestPreVote'),
  PreVoteResponse: voteAnswer('PreVoteResponse'),
  RequestVote: fc
    .tuple(voteRequest('RequestVote'), fc.boolean())
    .map(([request, leadershipTransfer]) => ({ ...request, leadershipTransfer })),
  VoteResponse: voteAnswer('VoteResponse'),
  AppendEntries: appendEntries,
  AppendEntriesResponse: fc.oneof(
    fc.tuple(positive, match).map(([term, said]) => ({
      kind: 'AppendEntriesResponse' as const,
      accepted: true as const,
      term,
      ...said,
    })),
    record({
      kind: fc.constant('AppendEntriesResponse' as const),
      accepted: fc.constant(false as const),
      term: positive,
      rejectedIndex: number,
      hintIndex: number,
      hintTerm: number,
    }),
    record({
      kind: fc.constant('AppendEntriesResponse' as const),
      accepted: fc.constant(false as const),
      term: positive,
      rejectedIndex: number,
      hintIndex: number,
      hintTerm: number,
      incomplete: fc.constant(true as const),
    }),
  ),
  Heartbeat: record({
    kind: fc.constant('Heartbeat' as const),
    term: positive,
    round: positive,
    leaderCommit: number,
    freshness: fc.option<ProvenFreshness>(record({ boot: positive, stamp: moment, index: number })),
  }),
  HeartbeatResponse: fc
    .tuple(
      record({
        kind: fc.constant('HeartbeatResponse' as const),
        term: positive,
        round: number,
        promiseMs: moment,
        stamp: moment,
      }),
      match,
      fc.constantFrom({}, { nearlyFull: true as const }),
    )
    .map(([rest, said, space]) => ({ ...rest, ...said, ...space })),
  InstallSnapshot: installSnapshot,
  InstallSnapshotResponse: positive.chain((term) =>
    record({
      kind: fc.constant('InstallSnapshotResponse' as const),
      term: fc.constant(term),
      snapshotIndex: positive,
      snapshotTerm: fc.integer({ min: 1, max: term }),
      offset: number,
    }),
  ),
  TimeoutNow: record({ kind: fc.constant('TimeoutNow' as const), term: positive }),
  ReadIndexRequest: record({
    kind: fc.constant('ReadIndexRequest' as const),
    term: positive,
    readId,
    lease: fc.boolean(),
  }),
  ReadIndexResponse: record({
    kind: fc.constant('ReadIndexResponse' as const),
    term: positive,
    readId,
    index: number,
  }),
  JoinRequest: record({
    kind: fc.constant('JoinRequest' as const),
    address,
    metadata,
    lastLogIndex: number,
  }),
  JoinAnswer: record({
    kind: fc.constant('JoinAnswer' as const),
    answer: joinOutcome,
    boot: positive,
    leader: someLeader,
  }),
  BootstrapQuery: record({ kind: fc.constant('BootstrapQuery' as const), members: bootstrapMembers }),
  BootstrapAnswer: record({
    kind: fc.constant('BootstrapAnswer' as const),
    empty: fc.boolean(),
    otherMembers,
  }),
  RepairRequest: fc
    .tuple(fc.nat(2 ** 33), fc.nat(70_000), fc.constantFrom(0, 1), positive, positive, readId)
    .map(([from, count, beyond, term, bytesMax, requestId]) => ({
      kind: 'RepairRequest' as const,
      requestId,
      from: from + 1,
      to: from + 1 + count,
      anchor: { index: from + 1 + count + beyond, term },
      bytesMax,
    })),
  RepairAnswer: fc.oneof(
    repairEntries,
    record({
      kind: fc.constant('RepairAnswer' as const),
      requestId: readId,
      held: fc.constant(false as const),
      reason: fc.constantFrom<RepairRefusal[]>('compacted', 'not-held'),
    }),
  ),
} satisfies { readonly [K in Message['kind']]: fc.Arbitrary<Message> };

export const envelopeWith = (message: fc.Arbitrary<Message>): fc.Arbitrary<Envelope> =>
  record({
    clusterId: fc.option(hexId),
    group: name,
    from: record({ id: name, incarnation: hexId, boot: positive }),
    to: record({ id: name, incarnation: fc.option(hexId) }),
    message,
  });

export const anyEnvelope: fc.Arbitrary<Envelope> = fc.oneof(
  ...Object.values(messages).map((message) => envelopeWith(message)),
);
