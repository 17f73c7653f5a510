import type { Configuration } from '../../../src/raft/configuration.ts';
import { emptyConfiguration } from '../../../src/raft/configuration.ts';
import type { LogFloor } from '../../../src/raft/effect.ts';
import type { Entry, Index, Term } from '../../../src/raft/entry.ts';
import type { SnapshotMeta } from '../../../src/raft/snapshot.ts';

/** A log as the paper has it: an array, and before it whatever a snapshot stands for. Never changed in place. */
export interface AbstractLog {
  readonly floor: LogFloor;
  /** Those after the floor. */
  readonly entries: readonly Entry[];
}

export function lastIndex({ floor, entries }: AbstractLog): Index {
  return floor.index + entries.length;
}

export function entryAt({ floor, entries }: AbstractLog, index: Index): Entry | undefined {
  return entries[index - floor.index - 1];
}

/** Undefined below the floor and beyond the end. */
export function termAt(log: AbstractLog, index: Index): Term | undefined {
  return index === log.floor.index ? log.floor.term : entryAt(log, index)?.term;
}

export function lastTerm(log: AbstractLog): Term {
  return termAt(log, lastIndex(log)) ?? 0;
}

export interface ConfigurationAt {
  readonly index: Index;
  readonly configuration: Configuration;
}

/** The floor's first; never empty. */
export function configurationsOf({ floor, entries }: AbstractLog): ConfigurationAt[] {
  const first = { index: floor.index, configuration: floor.configuration ?? emptyConfiguration };
  const later = entries.filter((entry) => entry.kind === 'configuration');
  return [first, ...later.map(({ index, configuration }) => ({ index, configuration }))];
}

/** The one that counts (dissertation 4.1), and the one before it. */
export function latestConfigurations(log: AbstractLog): {
  readonly latest: ConfigurationAt;
  readonly before: ConfigurationAt | null;
} {
  const all = configurationsOf(log);
  const latest = all[all.length - 1];
  if (latest === undefined) throw new Error('a log without any configuration');
  return { latest, before: all[all.length - 2] ?? null };
}

export function configurationAt(log: AbstractLog, index: Index): Configuration {
  return latestConfigurations({ floor: log.floor, entries: log.entries.slice(0, index - log.floor.index) })
    .latest.configuration;
}

/**
 * Figure 2, receiver of AppendEntries, steps 3 and 4. Whatever the floor stands for is committed, so the leader's
 * log holds the same.
 */
export function withAppended(log: AbstractLog, entries: readonly Entry[]): AbstractLog {
  const result = [...log.entries];
  for (const entry of entries) {
    const at = entry.index - log.floor.index - 1;
    if (at < 0 || result[at]?.term === entry.term) continue;
    result.splice(at, result.length - at, entry);
  }
  return { floor: log.floor, entries: result };
}

/** Step 2: whether the log holds the entry before those of the message. */
export function holds(log: AbstractLog, index: Index, term: Term): boolean {
  return index < log.floor.index || termAt(log, index) === term;
}

export function withFloor(log: AbstractLog, index: Index): AbstractLog {
  const floor = { index, term: termAt(log, index) ?? 0, configuration: configurationAt(log, index) };
  return { floor, entries: log.entries.slice(index - log.floor.index) };
}

export function replacedBy({ index, term, configuration }: SnapshotMeta): AbstractLog {
  return { floor: { index, term, configuration }, entries: [] };
}

/** How far `log` would be found again if only `stable` were left. */
export function stablePrefix(log: AbstractLog, stable: AbstractLog): Index {
  if (lastIndex(log) <= stable.floor.index) return lastIndex(log);
  let index = stable.floor.index > log.floor.index ? stable.floor.index : log.floor.index;
  if (termAt(log, index) !== termAt(stable, index)) return log.floor.index;
  while (index < lastIndex(log) && termAt(log, index + 1) === termAt(stable, index + 1)) index += 1;
  return index;
}

/** Paper 5.4.1. */
export function isUpToDate(log: AbstractLog, index: Index, term: Term): boolean {
  return term > lastTerm(log) || (term === lastTerm(log) && index >= lastIndex(log));
}

export function sameEntry(a: Entry, b: Entry): boolean {
  if (a === b) return true;
  if (a.index !== b.index || a.term !== b.term || a.kind !== b.kind) return false;
  if (a.kind === 'command' && b.kind === 'command') return a.payload.join() === b.payload.join();
  if (a.kind === 'configuration' && b.kind === 'configuration') {
    return JSON.stringify(a.configuration) === JSON.stringify(b.configuration);
  }
  return true;
}
