import type { Context } from './context.ts';
import type { Entry, Index, Term } from './entry.ts';
import { entryBytes } from './entry.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { cachedEntry } from './log.ts';
import { appendEntry, trimCache } from './log-changes.ts';
import type { RaftState } from './state.ts';

export type Proposal =
  | { readonly kind: 'command' | 'session'; readonly payload: Uint8Array }
  | { readonly kind: 'noop' };

export type ProposeResult =
  /** Appended at `from` (inclusive) and following, one index each, all in `term`. */
  | { readonly accepted: true; readonly term: Term; readonly from: Index }
  | { readonly accepted: false; readonly reason: 'not-leader' | 'overloaded' | 'handing-over' };

/** All of them or none. */
export function propose(context: Context, proposals: readonly Proposal[]): ProposeResult {
  const { state } = context;
  if (state.role !== 'leader') return { accepted: false, reason: 'not-leader' };
  if (state.handover !== null) return { accepted: false, reason: 'handing-over' };
  const from = state.log.lastIndex + 1;
  const entries = proposals.map((proposal, position) => entryOf(state, proposal, from + position));
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  // With nothing under way anything is accepted, or one great command could never be proposed at all.
  if (state.uncommittedBytes > 0 && state.uncommittedBytes + bytes > state.options.uncommittedBytesMax) {
    return { accepted: false, reason: 'overloaded' };
  }
  for (const entry of entries) appendEntry(context, entry);
  state.uncommittedBytes += bytes;
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
  state.uncommittedBytes += entryBytes(entry);
  state.verifiedIndex = entry.index;
}

/** The entries up to `commitIndex` are about to be committed: they no longer count against the bound. */
export function releaseUncommitted(state: RaftState, commitIndex: Index): void {
  const first = state.commitIndex < state.termStartIndex ? state.termStartIndex : state.commitIndex + 1;
  for (let index = first; index <= commitIndex; index += 1) {
    const entry = cachedEntry(state.log, index);
    if (entry === undefined) {
      throw new InvariantViolation(`entry ${index} left the leader's cache before it was committed`);
    }
    state.uncommittedBytes -= entryBytes(entry);
  }
}

function entryOf(state: RaftState, proposal: Proposal, index: Index): Entry {
  const { term } = state.hardState;
  return proposal.kind === 'noop'
    ? { kind: 'noop', index, term }
    : { kind: proposal.kind, index, term, payload: proposal.payload };
}
