import type { Index, Term } from '../../../src/raft/entry.ts';
import type { Role } from '../../../src/raft/event.ts';
import type { RequestId } from '../../../src/raft/identity.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import type { SnapshotMeta } from '../../../src/raft/snapshot.ts';
import type { AbstractLog } from './abstract-log.ts';

/** What would be found after a crash now. */
export interface Stable {
  readonly currentTerm: Term;
  readonly votedFor: string | null;
  readonly log: AbstractLog;
}

/** The state of figure 2, and what messages have taught a server in its current term. */
export interface Server {
  /** For messages to people. */
  readonly name: string;
  /** Its (id, incarnation) as one word, as everywhere here. */
  readonly pair: string;
  stable: Stable;
  currentTerm: Term;
  votedFor: string | null;
  role: Role;
  log: AbstractLog;
  commitIndex: Index;

  /** Whose votes came, and whose pre-votes for the next term. */
  readonly votes: Set<string>;
  readonly preVotes: Set<string>;
  /** Leader: what each said it holds. */
  readonly matchIndex: Map<string, Index>;
  /** Whom it heard as leader of this term. */
  leader: string | null;
  /** Follower: up to where the logs of the leader and its own are known equal. */
  verifiedIndex: Index;
  /** Where its office begins; null when it does not lead. */
  termStart: Index | null;
  /** It campaigns because the leader of the term before asked for it. */
  byTransfer: boolean;
  /** Leader: to whom it handed over in this term, as far as it may. */
  readonly handedOverTo: Set<string>;
  /** Leader: the last round of heartbeats that it sent, and the last one that each answered. */
  lastRound: number;
  readonly answeredRounds: Map<string, number>;
  /** Leader: what it was asked, and the last round that it had sent before. */
  readonly questions: Map<string, number>;
  /** Snapshots that it stored, by `snapshotKey`. */
  readonly snapshots: Set<string>;
}

/** What one step of the core brought: seen from outside, to be explained by the rules. */
export interface Observed {
  readonly currentTerm: Term;
  readonly votedFor: string | null;
  readonly role: Role;
  readonly commitIndex: Index;
  readonly applyingIndex: Index;
  readonly log: AbstractLog;
  /** As the core keeps them beside its log. */
  readonly configurations: readonly { readonly index: Index; readonly id: string }[];
  readonly sent: readonly Envelope[];
}

export interface Step {
  /** The message that this step answers; null when it is about time, storage or an operator. */
  readonly heard: Envelope | null;
  /** It came with a message that was meant for somebody else. */
  readonly misaddressed: boolean;
  readonly now: number;
  readonly observed: Observed;
  readonly stable: Stable;
  /** Stored since the last step. */
  readonly stored: readonly SnapshotMeta[];
}

export function snapshotKey({ index, term, size, digest }: SnapshotMeta): string {
  return `${index}/${term} ${size} ${digest}`;
}

/** One question of one asker. */
export function questionKey(asker: string, { boot, sequence }: RequestId): string {
  return `${asker} ${boot}.${sequence}`;
}

export function newServer(
  name: string,
  pair: string,
  from: { readonly stable: Stable; readonly commitIndex: Index; readonly snapshots: readonly SnapshotMeta[] },
): Server {
  return {
    name,
    pair,
    ...from,
    currentTerm: from.stable.currentTerm,
    votedFor: from.stable.votedFor,
    role: 'follower',
    log: from.stable.log,
    votes: new Set(),
    preVotes: new Set(),
    matchIndex: new Map(),
    leader: null,
    verifiedIndex: 0,
    termStart: null,
    byTransfer: false,
    handedOverTo: new Set(),
    lastRound: 0,
    answeredRounds: new Map(),
    questions: new Map(),
    snapshots: new Set(from.snapshots.map(snapshotKey)),
  };
}

/** What was heard in an old term means nothing in the new one. */
export function enterTerm(server: Server, term: Term, votedFor: string | null): void {
  server.currentTerm = term;
  server.votedFor = votedFor;
  server.role = 'follower';
  server.votes.clear();
  server.preVotes.clear();
  server.matchIndex.clear();
  server.leader = null;
  server.verifiedIndex = 0;
  server.termStart = null;
  server.byTransfer = false;
  server.handedOverTo.clear();
  server.lastRound = 0;
  server.answeredRounds.clear();
  server.questions.clear();
}
