import type { Configuration } from './configuration.ts';
import type { Context } from './context.ts';
import { emit, nextRequestId } from './context.ts';
import type { Index, Term } from './entry.ts';
import { dropPrefix, reset, termAt } from './log.ts';
import { issueWrite, tellConfiguration } from './log-changes.ts';
import { configurationAt, currentConfiguration } from './membership.ts';
import type { RaftState } from './state.ts';

/**
 * Where the log begins. A floor moves only to where a snapshot that reaches at least as far is durable: up to
 * there nothing is needed of the log any more, except the configuration in force.
 */

/**
 * The log begins after `floor` from now on. If it holds that very entry, what follows it stays; if it holds
 * another in its place, or ends before, nothing of it can be relied upon, and nothing of it stays.
 */
export function moveFloor(
  context: Context,
  floor: { readonly index: Index; readonly term: Term; readonly configuration: Configuration },
): void {
  const { state } = context;
  const { log } = state;
  const { index, term, configuration } = floor;
  const before = currentConfiguration(state);
  // What memory holds now must lie on the disk before the floor: afterwards it could not be appended there.
  issueWrite(context);
  const isHeld = termAt(log, index) === term;
  if (isHeld) {
    dropPrefix(log, index);
    state.configurations = state.configurations.filter((one) => one.index > index);
  } else {
    const { lastIndex } = log;
    reset(log, index, term);
    state.repairing = false;
    state.configurations = [];
    if (lastIndex >= index) emit(context, { kind: 'log-truncated', term: state.hardState.term, from: index });
  }
  state.configurations.unshift({ index, configuration });
  noteSnapshotDurable(state, index, isHeld);
  issueFloor(context);
  if (currentConfiguration(state).id !== before.id) tellConfiguration(context, false);
}

/** Tells the storage the floor that memory has. Everything before it must have been issued. */
export function issueFloor(context: Context): void {
  const { state } = context;
  issueWrite(context);
  const { floorIndex: index, floorTerm: term, lastIndex } = state.log;
  const writeId = nextRequestId(state);
  const { issuedBytes } = state;
  state.writes.push({ writeId, appendFrom: null, endIndex: lastIndex, hardState: null, issuedBytes });
  context.effects.push({
    kind: 'write',
    writeId,
    entries: [],
    floor: { index, term, configuration: configurationAt(state, index) },
  });
  emit(context, { kind: 'log-compacted', index });
}

/**
 * What a snapshot covers survives a crash from the moment the snapshot does, whether the floor's write and
 * those before it are durable or not: an open that finds a snapshot ahead of the log, or another term at its
 * index, replaces the log by it (start.ts).
 *
 * A write under way still claims what it appends beyond the floor, if the log goes on there. If it does not,
 * the entries it claims are not in this log any more, so it claims no more than the floor: the ABA race of
 * `truncateFrom`.
 */
function noteSnapshotDurable(state: RaftState, index: Index, isHeld: boolean): void {
  const { durable, writes } = state;
  if (!isHeld || durable.index < index) durable.index = index;
  for (const write of writes) if (!isHeld || write.endIndex < index) write.endIndex = index;
}
