import type { Context } from './context.ts';
import { emit, nextRequestId } from './context.ts';
import type { MissingEntries } from './effect.ts';
import type { Entry, Index } from './entry.ts';
import type { MemberId, RequestId } from './identity.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { append, bytesAfter, cachedRange, evict, truncate } from './log.ts';
import type { RaftState, UnissuedWrite } from './state.ts';

/**
 * Everything that changes what must be persisted, and the way it becomes durable. Memory goes ahead;
 * one write per drain carries whatever changed since the last; `durable` follows with `persisted`.
 */

export function saveHardState(state: RaftState, term: number, votedFor: MemberId | null): void {
  const { hardState } = state;
  if (term < hardState.term || (term === hardState.term && hardState.votedFor !== null)) {
    throw new InvariantViolation(
      `the hard state cannot go from term ${hardState.term}, vote ${hardState.votedFor?.id ?? 'none'}` +
        ` to term ${term}, vote ${votedFor?.id ?? 'none'}: a term never falls and its vote never changes`,
    );
  }
  state.hardState = {
    ...hardState,
    term,
    votedFor: votedFor === null ? null : { id: votedFor.id, incarnation: votedFor.incarnation },
  };
  unissuedWrite(state).hardState = true;
}

/** Of entries that the disk lost; null once nothing is missing any more. */
export function noteMissing(state: RaftState, missing: MissingEntries | null): void {
  const { term, votedFor } = state.hardState;
  state.hardState = missing === null ? { term, votedFor } : { term, votedFor, missing };
  unissuedWrite(state).hardState = true;
}

/** Appends the next entry. A configuration is in force from here on (dissertation 4.1). */
export function appendEntry(context: Context, entry: Entry): void {
  const { state } = context;
  append(state.log, entry);
  unissuedWrite(state).appendFrom ??= entry.index;
  if (entry.kind === 'configuration') {
    state.configurations.push({ index: entry.index, configuration: entry.configuration });
    tellConfiguration(context, false);
  }
}

/**
 * Removes every entry from `index` on, and with them the configurations they brought.
 *
 * Nothing at or above `index` counts as durable from here on, and no write already under way may claim
 * so when it completes. Otherwise (the ABA race): entries 5, 6 of term 1 are being written; a leader of
 * term 2 replaces them by its own 5, 6; the first write completes; and index 6 is acknowledged to the
 * leader of term 2, whose entry 6 is not on this disk.
 */
export function truncateFrom(context: Context, index: Index): void {
  const { state } = context;
  truncate(state.log, index);
  let rolledBack = false;
  while (state.configurations.length > 1 && (state.configurations.at(-1)?.index ?? 0) >= index) {
    state.configurations.pop();
    rolledBack = true;
  }
  if (rolledBack) tellConfiguration(context, true);
  const end = index - 1;
  if (state.durable.index > end) state.durable.index = end;
  for (const write of state.writes) if (write.endIndex > end) write.endIndex = end;

  const unissued = unissuedWrite(state);
  const { appendFrom } = unissued;
  // Entries from `appendFrom` on are in no write yet, so removing only some of those cuts nothing.
  if (appendFrom === null || index < appendFrom) {
    if (unissued.cutFrom === null || index < unissued.cutFrom) unissued.cutFrom = index;
  }
  if (appendFrom !== null && index <= appendFrom) unissued.appendFrom = null;
  emit(context, { kind: 'log-truncated', term: state.hardState.term, from: index });
}

/** Of a damaged log the disk may hold more, behind what is missing. */
export function cutBeyondEnd(state: RaftState): void {
  unissuedWrite(state).cutFrom = state.log.lastIndex + 1;
}

/** Turns what changed since the last write into one write effect. */
export function issueWrite(context: Context): void {
  const { state } = context;
  const { unissued, log } = state;
  if (unissued === null) return;
  state.unissued = null;
  const { cutFrom, appendFrom } = unissued;
  if (!unissued.hardState && cutFrom === null && appendFrom === null) return;
  const entries = appendFrom === null ? [] : cachedRange(log, appendFrom, log.lastIndex);
  if (entries === null) {
    throw new InvariantViolation(`entries from ${appendFrom} left the cache before they were written`);
  }
  const writeId = nextRequestId(state);
  const hardState = unissued.hardState ? state.hardState : null;
  if (appendFrom !== null) state.issuedBytes += bytesAfter(log, appendFrom - 1);
  const { issuedBytes } = state;
  state.writes.push({ writeId, appendFrom, endIndex: log.lastIndex, hardState, issuedBytes });
  context.effects.push({
    kind: 'write',
    writeId,
    ...(hardState === null ? {} : { hardState }),
    ...(cutFrom === null ? {} : { cutFrom }),
    entries,
  });
}

/**
 * Write `writeId` and all before it are durable. False when nothing was waiting under this id: it was
 * heard before, or it is of another boot.
 */
export function markPersisted(state: RaftState, writeId: RequestId): boolean {
  if (writeId.boot !== state.self.boot) return false;
  const { writes, durable } = state;
  let count = writes.length;
  while (count > 0 && writes[count - 1]?.writeId.sequence !== writeId.sequence) count -= 1;
  if (count === 0) return false;
  for (let position = 0; position < count; position += 1) {
    const write = writes[position];
    if (write === undefined) break;
    if (write.endIndex > durable.index) durable.index = write.endIndex;
    if (write.hardState !== null) durable.hardState = write.hardState;
    state.persistedBytes = write.issuedBytes;
  }
  writes.splice(0, count);
  trimCache(state);
  return true;
}

/**
 * Entries not durable are kept, for they are nowhere else; and with them the rest of a range that is being
 * applied, so that it can be had from one place. A leader also keeps what it appended and is not committed, to
 * know its size (`uncommittedBytes`). All three are bounded, and so is the cache.
 */
export function trimCache(state: RaftState): void {
  const { durable, appliedIndex, applyingIndex, log, options } = state;
  let upTo = durable.index;
  const settled = lastNotCharged(state);
  if (settled !== null && settled < upTo) upTo = settled;
  if (applyingIndex > durable.index && appliedIndex < upTo) upTo = appliedIndex;
  evict(log, upTo, options.cacheBytesMax);
}

/**
 * A leader: the last entry that does not count as uncommitted, be it committed or of another leader. null for
 * everybody else.
 */
export function lastNotCharged({ role, commitIndex, termStartIndex }: RaftState): Index | null {
  if (role !== 'leader' || termStartIndex === 0) return null;
  return commitIndex < termStartIndex ? termStartIndex - 1 : commitIndex;
}

export function tellConfiguration(context: Context, rolledBack: boolean): void {
  const latest = context.state.configurations.at(-1);
  if (latest === undefined) return;
  emit(context, { kind: 'configuration-changed', ...latest, rolledBack });
}

function unissuedWrite(state: RaftState): UnissuedWrite {
  state.unissued ??= { hardState: false, cutFrom: null, appendFrom: null };
  return state.unissued;
}
