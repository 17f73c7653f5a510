import type { Entry, Index, Term, TermRun } from './entry.ts';
import { entryBytes } from './entry.ts';
import { InvariantViolation } from './invariant-violation.ts';
import type { LogState } from './state.ts';

/**
 * The log as the core knows it: every term (as runs), and the recent entries themselves. Old entries
 * live in the storage only, yet each consistency check is answered at once. Nothing here knows of
 * durability; see log-changes.ts for that.
 */

export function lastTerm(log: LogState): Term {
  return log.runs[log.runs.length - 1]?.term ?? log.floorTerm;
}

/** The term of one entry; null below the floor, whose terms are forgotten, and beyond the end. */
export function termAt(log: LogState, index: Index): Term | null {
  if (index === log.floorIndex) return log.floorTerm;
  if (index < log.floorIndex || index > log.lastIndex) return null;
  return log.runs[runOf(log, index)]?.term ?? null;
}

/** Election restriction (paper 5.4.1): the later last term wins, then the longer log. */
export function isUpToDate(log: LogState, lastLogIndex: Index, lastLogTerm: Term): boolean {
  const ownTerm = lastTerm(log);
  return lastLogTerm > ownTerm || (lastLogTerm === ownTerm && lastLogIndex >= log.lastIndex);
}

/**
 * How many of these consecutive entries the log already holds, counted from the first: the next one
 * lies beyond the log's end or conflicts with it. Entries at or below the floor are committed and held.
 */
export function countHeld(log: LogState, entries: readonly Entry[]): number {
  const first = entries[0];
  if (first === undefined || first.index === log.lastIndex + 1) return 0;
  let held = 0;
  for (const entry of entries) {
    if (entry.index > log.floorIndex && termAt(log, entry.index) !== entry.term) break;
    held += 1;
  }
  return held;
}

/**
 * The greatest index up to `index` whose term is not above `term`: the last place where this log may
 * still agree with one that has `term` at `index`, because terms never fall along a log.
 *
 * A leader of term 5 probes at index 9, where its term is 2:
 *
 *     index     1 2 3 4 5 6 7 8 9
 *     leader    1 1 2 2 2 2 2 2 2 5
 *     follower  1 1 1 1 4 4 4 4 4
 *
 * The follower has 4 at 9, but whatever agrees with a 2 or less can end at 4 at the latest, so it hints
 * (4, term 1). The leader applies the same argument to the hint: its last index up to 4 with a term
 * not above 1 is 2, and there the logs agree. One refusal instead of seven.
 */
export function lastIndexNotAfterTerm(
  log: LogState,
  index: Index,
  term: Term,
): { readonly index: Index; readonly term: Term } {
  let at = index < log.lastIndex ? index : log.lastIndex;
  for (let run = runOf(log, at); run >= 0 && at > log.floorIndex; run -= 1) {
    const candidate = log.runs[run];
    if (candidate === undefined) break;
    if (candidate.term <= term) return { index: at, term: candidate.term };
    at = candidate.firstIndex - 1;
  }
  // What the floor covers is committed, so the logs agree there whatever its term.
  return { index: log.floorIndex, term: log.floorTerm };
}

export function firstCachedIndex(log: LogState): Index {
  return log.lastIndex - log.cache.length + 1;
}

/** One entry if it is cached. */
export function cachedEntry(log: LogState, index: Index): Entry | undefined {
  return log.cache[index - firstCachedIndex(log)];
}

/** Entries `from` .. `to` inclusive if all of them are cached, else null. */
export function cachedRange(log: LogState, from: Index, to: Index): Entry[] | null {
  const first = firstCachedIndex(log);
  if (from < first || to > log.lastIndex) return null;
  return log.cache.slice(from - first, to - first + 1);
}

/**
 * Cached entries `from` .. at most `to` until `bytesMax` would be passed, at least one; null if `from` is not
 * cached, or lies beyond `to`.
 */
export function cachedBatch(
  log: LogState,
  from: Index,
  bytesMax: number,
  to: Index = log.lastIndex,
): { readonly entries: Entry[]; readonly bytes: number } | null {
  const start = from - firstCachedIndex(log);
  if (log.cache[start] === undefined || from > to) return null;
  const last = lastWithin(log, { from, to: to < log.lastIndex ? to : log.lastIndex, bytesMax });
  return {
    entries: log.cache.slice(start, start + last - from + 1),
    bytes: bytesThrough(log, last) - bytesThrough(log, from - 1),
  };
}

/** Bytes of all that is cached. */
export function cacheBytes(log: LogState): number {
  return bytesThrough(log, log.lastIndex) - log.bytesBefore;
}

/** Bytes of the entries after `index`, all of which are cached. */
export function bytesAfter(log: LogState, index: Index): number {
  return bytesThrough(log, log.lastIndex) - bytesThrough(log, index);
}

/** The last index from `from` on, up to `to`, so that what lies between has at most `bytesMax`; at least `from`. */
export function lastWithin(
  log: LogState,
  { from, to, bytesMax }: { readonly from: Index; readonly to: Index; readonly bytesMax: number },
): Index {
  const most = bytesThrough(log, from - 1) + bytesMax;
  if (bytesThrough(log, to) <= most) return to;
  let low = from;
  let high = to - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (bytesThrough(log, middle) <= most) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** See `LogState.bytesThrough`; the index is that of a cached entry, or of the last one before them. */
function bytesThrough(log: LogState, index: Index): number {
  const position = index - firstCachedIndex(log);
  if (position === -1) return log.bytesBefore;
  const bytes = log.bytesThrough[position];
  if (bytes === undefined) throw new InvariantViolation(`entry ${index + 1} left the cache too early`);
  return bytes;
}

/** Puts the next entry at the end. */
export function append(log: LogState, entry: Entry): void {
  if (log.runs.length === 0 || lastTerm(log) !== entry.term) {
    log.runs.push({ term: entry.term, firstIndex: entry.index });
  }
  log.bytesThrough.push(bytesThrough(log, log.lastIndex) + entryBytes(entry));
  log.cache.push(entry);
  log.lastIndex = entry.index;
}

/** Puts entries at the end that only the storage has: their terms are those of the runs, which reach up to `lastIndex`. */
export function extendUnread(log: LogState, runs: readonly TermRun[], lastIndex: Index): void {
  for (const [position, { term, firstIndex }] of runs.entries()) {
    const to = (runs[position + 1]?.firstIndex ?? lastIndex + 1) - 1;
    if (to <= log.lastIndex) continue;
    const from = firstIndex > log.lastIndex ? firstIndex : log.lastIndex + 1;
    if (log.runs.length === 0 || lastTerm(log) !== term) log.runs.push({ term, firstIndex: from });
  }
  forgetOldest(log, log.cache.length);
  log.lastIndex = lastIndex;
}

/** Removes every entry from `index` on; `index` lies above the floor and not beyond the end + 1. */
export function truncate(log: LogState, index: Index): void {
  while ((log.runs[log.runs.length - 1]?.firstIndex ?? 0) >= index) log.runs.pop();
  while (log.cache.length > 0 && log.lastIndex >= index) {
    log.cache.pop();
    log.bytesThrough.pop();
    log.lastIndex -= 1;
  }
  log.lastIndex = index - 1;
}

/** Forgets every entry up to `index`, which the log holds: it is the new floor. */
export function dropPrefix(log: LogState, index: Index): void {
  const term = termAt(log, index) ?? log.floorTerm;
  const [covering, ...later] = log.runs.slice(runOf(log, index));
  const next = later[0]?.firstIndex ?? log.lastIndex + 1;
  const keepsSome = covering !== undefined && next > index + 1;
  log.runs = keepsSome ? [{ term: covering.term, firstIndex: index + 1 }, ...later] : later;
  forgetOldest(log, Math.max(0, index - firstCachedIndex(log) + 1));
  log.floorIndex = index;
  log.floorTerm = term;
}

/** Forgets everything: the log begins, and ends, after `index`. */
export function reset(log: LogState, index: Index, term: Term): void {
  log.floorIndex = index;
  log.floorTerm = term;
  log.lastIndex = index;
  log.runs = [];
  log.cache = [];
  log.bytesThrough = [];
  log.bytesBefore = 0;
}

/**
 * Forgets the oldest cached entries up to `upTo` once the cache is above `bytesMax`, down to three
 * quarters of it. Removing from the front moves the whole rest, so it is done only when at least a
 * quarter of its bytes can go: moving is then paid for by what goes, whatever the load. So the cache holds at most
 * `bytesMax`, or four thirds of what may not go.
 */
export function evict(log: LogState, upTo: Index, bytesMax: number): void {
  const held = cacheBytes(log);
  const first = firstCachedIndex(log);
  if (held <= bytesMax || upTo < first) return;
  const mayGo = bytesThrough(log, upTo) - log.bytesBefore;
  if (mayGo * 4 < held) return;
  let last = first - 1;
  while (last < upTo && (held - (bytesThrough(log, last) - log.bytesBefore)) * 4 > bytesMax * 3) last += 1;
  forgetOldest(log, last - first + 1);
}

/** So many from the front of the cache, or as many as there are. */
function forgetOldest(log: LogState, count: number): void {
  if (count === 0) return;
  log.cache.splice(0, count);
  const bytes = log.bytesThrough.splice(0, count);
  log.bytesBefore = bytes[bytes.length - 1] ?? log.bytesBefore;
}

/** Position of the run that covers `index`; the last one is nearly always it. */
function runOf(log: LogState, index: Index): number {
  let high = log.runs.length - 1;
  if ((log.runs[high]?.firstIndex ?? 0) <= index) return high;
  let low = 0;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((log.runs[middle]?.firstIndex ?? 0) <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}
