import { backlogRoom } from './backlog.ts';
import type { Context } from './context.ts';
import { takesProposals } from './disk-space.ts';
import type { Entry, Index, Term } from './entry.ts';
import { entryBytes } from './entry.ts';
import { bytesAfter } from './log.ts';
import { appendEntry, lastNotCharged, trimCache } from './log-changes.ts';
import type { RaftState } from './state.ts';

export type Proposal =
  | { readonly kind: 'command' | 'session'; readonly payload: Uint8Array }
  | { readonly kind: 'noop' };

export type ProposeResult =
  /** Appended at `from` (inclusive) and following, one index each, all in `term`. */
  | { readonly accepted: true; readonly term: Term; readonly from: Index }
  | { readonly accepted: false; readonly reason: 'not-leader' | 'transferring-leadership' }
  | { readonly accepted: false; readonly reason: 'overloaded'; readonly bound: ProposalBound };

/**
 * `uncommitted-bytes`: the quorum does not keep up. `disk-backlog`: the leader's own disk does not. `disk-nearly-full`:
 * the leader's own disk, or those of so many that the others are no quorum.
 */
export type ProposalBound = 'uncommitted-bytes' | 'disk-backlog' | 'disk-nearly-full';

/** All of them or none. */
export function propose(context: Context, proposals: readonly Proposal[]): ProposeResult {
  const { state } = context;
  if (state.role !== 'leader') return { accepted: false, reason: 'not-leader' };
  if (state.leadershipTransfer !== null) return { accepted: false, reason: 'transferring-leadership' };
  if (!takesProposals(state)) return { accepted: false, reason: 'overloaded', bound: 'disk-nearly-full' };
  const from = state.log.lastIndex + 1;
  const entries = proposals.map((proposal, position) => entryOf(state, proposal, from + position));
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  const uncommitted = uncommittedBytes(state);
  // With nothing under way anything is accepted, or one great command could never be proposed at all.
  if (uncommitted > 0 && uncommitted + bytes > state.options.uncommittedBytesMax) {
    return { accepted: false, reason: 'overloaded', bound: 'uncommitted-bytes' };
  }
  if (bytes > backlogRoom(state)) return { accepted: false, reason: 'overloaded', bound: 'disk-backlog' };
  for (const entry of entries) appendEntry(context, entry);
  state.verifiedIndex = state.log.lastIndex;
  trimCache(state);
  return { accepted: true, term: state.hardState.term, from };
}

/**
 * The first entry of every term. Only by committing an entry of its own term does a leader learn that
 * everything before it is committed (paper 5.4.2 and 8).
 */
export function appendNoop(context: Context): void {
  const { state } = context;
  const entry = entryOf(state, { kind: 'noop' }, state.log.lastIndex + 1);
  appendEntry(context, entry);
  state.verifiedIndex = entry.index;
}

/**
 * Bytes that this leader appended and that are not committed yet; 0 for everybody else. Derived from the log, so
 * there is no charge that a release could miss.
 *
 * What a new leader inherits uncommitted does not count. It is in the log already, refusing proposals makes
 * it no smaller, and it lies on the disk, so it may leave the cache (`trimCache`); all of it is committed with
 * the first entry of the own term. Counted, it would keep a leader from serving until then, for nothing.
 */
export function uncommittedBytes(state: RaftState): number {
  const before = lastNotCharged(state);
  return before === null ? 0 : bytesAfter(state.log, before);
}

function entryOf(state: RaftState, proposal: Proposal, index: Index): Entry {
  const { term } = state.hardState;
  return proposal.kind === 'noop'
    ? { kind: 'noop', index, term }
    : { kind: proposal.kind, index, term, payload: proposal.payload };
}
