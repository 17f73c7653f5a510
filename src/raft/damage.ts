import type { Context } from './context.ts';
import { emit } from './context.ts';
import type { HardState, MissingEntries } from './effect.ts';
import { armElectionTimer } from './election-timer.ts';
import type { ConfigurationEntry, Index, Term, TermRun } from './entry.ts';
import type { RequestId } from './identity.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { extendUnread, termAt } from './log.ts';
import { cutBeyondEnd, noteMissing, tellConfiguration } from './log-changes.ts';
import { cancelRead, requestRead } from './read-index.ts';

/**
 * A replica whose disk lost entries that it may have acknowledged (docs/decisions/0010). Its log ends before the
 * first of them, and `hardState.missing` says up to where there may have been more:
 *
 *     was acknowledged   1 1 2 2 2 3 3
 *     is held            1 1 . . 2 3 3      missing = 7/3, the log is 1 1
 *     or                 1 1 2 2 . . .      missing = ?/3, the log is 1 1 2 2
 *
 * Every quorum that counted one of those acknowledgements relies on this replica to vote for nobody who lacks the entry
 * (paper 5.4.1). So it votes by the log that it promised, not by the one it holds, and leads nobody, until what it
 * holds is at least as up-to-date as what it promised. Then it holds every committed entry that it ever acknowledged:
 *
 *  - An entry of a later term than `missing.term` came from a leader of that term, with everything before it in that
 *    leader's log (5.3), and there all that was committed in earlier terms is (5.4.3).
 *  - One of the same term at `missing.index` or after it came from the same leader, and the same log before it.
 */

/** What a storage found missing, of which the core needs to know this much. */
export interface FoundDamage {
  /** Missing in the middle. Empty when the end is missing. */
  readonly holes: readonly unknown[];
  /** The last entry there was; null when that is not known. */
  readonly end: { readonly index: Index; readonly term: Term } | null;
}

/** What is missing by the hard state and by what was found just now: whichever reaches further. */
export function missingAtStart(hardState: HardState, damage: FoundDamage | null): MissingEntries | null {
  const known = hardState.missing ?? null;
  if (damage === null) return known;
  // No entry of a later term was ever acknowledged: a term is durable before anything is said in it.
  const found = damage.end ?? { term: hardState.term, index: null };
  if (known === null || reachesFurther(found, known)) return { term: found.term, index: found.index };
  return known;
}

/** The election restriction, of the log that was promised: an unknown end is beyond every entry of its term. */
export function isPastMissing(
  missing: MissingEntries | undefined,
  last: { readonly index: Index; readonly term: Term },
): boolean {
  return missing === undefined || !reachesFurther(missing, last);
}

/**
 * Once per drain: is whole again once it durably holds enough, and asks how much that is where it does not know. Not
 * while a hole is repaired: what stands behind it counts for nothing yet, and is not to be forgotten.
 */
export function advanceRecovery(context: Context): void {
  const { state } = context;
  const { missing } = state.hardState;
  if (missing === undefined || state.repairing) return;
  const { index } = state.durable;
  if (isPastMissing(missing, { index, term: termAt(state.log, index) ?? 0 })) {
    forgetMissing(context);
  } else if (missing.index === null && state.endAsked === null) {
    state.endAsked = requestRead(context, false);
  }
}

/**
 * The leader of the present term answered a read that was asked for in this boot: an entry of its own term is
 * committed at `index`. From the moment it heard of this boot it counts no acknowledgement of an earlier one
 * (boots.ts). So whatever was committed with the help of one that is lost is committed by now, or was in an earlier
 * term, and lies at or before that entry in the leader's log: that log up to there is enough.
 *
 * @returns false when this is a read like any other.
 */
export function takeAnswerForEnd(context: Context, readId: RequestId, index: Index): boolean {
  const { state } = context;
  if (state.endAsked === null || state.endAsked.sequence !== readId.sequence) return false;
  state.endAsked = null;
  if (state.hardState.missing !== undefined) noteMissing(state, { term: state.hardState.term, index });
  return true;
}

/** Peers gave back what was missing in the middle: the storage holds the whole log again. */
export function onRepaired(
  context: Context,
  recovered: {
    readonly lastIndex: Index;
    readonly runs: readonly TermRun[];
    readonly configurations: readonly ConfigurationEntry[];
  },
): void {
  const { state } = context;
  if (!state.repairing) return;
  state.repairing = false;
  const { lastIndex } = state.log;
  if (recovered.lastIndex < lastIndex || state.durable.index !== lastIndex) {
    throw new InvariantViolation(
      `a repaired log ends at ${recovered.lastIndex}, though it was held up to ${lastIndex} and nothing was appended`,
    );
  }
  extendUnread(state.log, recovered.runs, recovered.lastIndex);
  state.durable.index = recovered.lastIndex;
  // Those under way append nothing, and cut nothing.
  for (const write of state.writes) write.endIndex = recovered.lastIndex;
  const later = recovered.configurations.filter(({ index }) => index > lastIndex);
  for (const { index, configuration } of later) state.configurations.push({ index, configuration });
  if (later.length > 0) tellConfiguration(context, false);
  emit(context, { kind: 'log-repaired', from: lastIndex + 1, to: recovered.lastIndex });
}

/**
 * Nobody can give back what is missing in the middle: the leader's log takes the place of all that follows. It is cut
 * off at once, so that the log on the disk ends where this one does, whatever is written to it next.
 */
export function abandonRepair(context: Context): void {
  const { state } = context;
  if (!state.repairing) return;
  state.repairing = false;
  cutBeyondEnd(state);
  emit(context, { kind: 'repair-abandoned', lastIndex: state.log.lastIndex });
}

function forgetMissing(context: Context): void {
  const { state } = context;
  if (state.endAsked !== null) cancelRead(state, state.endAsked);
  state.endAsked = null;
  noteMissing(state, null);
  emit(context, { kind: 'log-whole', lastIndex: state.log.lastIndex });
  if (state.timers.election === null) armElectionTimer(context);
}

function reachesFurther(a: MissingEntries, b: MissingEntries): boolean {
  if (a.term !== b.term) return a.term > b.term;
  return b.index !== null && (a.index === null || a.index > b.index);
}
