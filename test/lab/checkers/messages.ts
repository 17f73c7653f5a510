import type { Index, Term } from '../../../src/raft/entry.ts';
import type { Message } from '../../../src/raft/message.ts';

export function requestVote(term: Term): Message {
  return { kind: 'RequestVote', term, lastLogIndex: 0, lastLogTerm: 0, leadershipTransfer: false };
}

export function vote(term: Term, granted = true): Message {
  return { kind: 'VoteResponse', term, granted };
}

export function preVote(term: Term): Message {
  return { kind: 'PreVoteResponse', term, granted: true };
}

export function heartbeat(term: Term): Message {
  return { kind: 'Heartbeat', term, round: 1, leaderCommit: 0, freshness: null };
}

export function heartbeatAnswer(term: Term, matchIndex: Index): Message {
  return {
    kind: 'HeartbeatResponse',
    term,
    round: 1,
    matchIndex,
    verifiedIndex: matchIndex,
    promiseMs: 500,
    stamp: 0,
  };
}

export function append(term: Term): Message {
  return { kind: 'AppendEntries', term, prevLogIndex: 0, prevLogTerm: 0, entries: [], leaderCommit: 0 };
}

export function accepted(term: Term, matchIndex: Index, verifiedIndex: Index = matchIndex): Message {
  return { kind: 'AppendEntriesResponse', accepted: true, term, matchIndex, verifiedIndex };
}

export function rejected(term: Term): Message {
  return {
    kind: 'AppendEntriesResponse',
    accepted: false,
    term,
    rejectedIndex: 5,
    hintIndex: 0,
    hintTerm: 0,
  };
}
