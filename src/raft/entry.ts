import type { Configuration } from './configuration.ts';
import type { ClusterId } from './identity.ts';

/** 0 before the first election; 1, 2, 3, ... after. */
export type Term = number;
/** 1, 2, 3, ...; 0 stands before the first entry. */
export type Index = number;

export type Entry = CommandEntry | SessionEntry | NoopEntry | ConfigurationEntry;

/** A command of the user's state machine, already encoded. The bytes are never changed. */
export interface CommandEntry {
  readonly kind: 'command';
  readonly index: Index;
  readonly term: Term;
  readonly payload: Uint8Array;
}

/**
 * What concerns the sessions of clients (dissertation 6.3), encoded by the embedder. It is opaque here: the core
 * orders and keeps it like a command, and never looks inside.
 */
export interface SessionEntry {
  readonly kind: 'session';
  readonly index: Index;
  readonly term: Term;
  readonly payload: Uint8Array;
}

/** Opens each term (dissertation 6.4, step 1), and serves as the barrier of a read through the log. */
export interface NoopEntry {
  readonly kind: 'noop';
  readonly index: Index;
  readonly term: Term;
}

/** A configuration, in force as soon as it is appended. Entry 1 of every log is one, with the cluster's id. */
export interface ConfigurationEntry {
  readonly kind: 'configuration';
  readonly index: Index;
  readonly term: Term;
  readonly clusterId: ClusterId;
  readonly configuration: Configuration;
}

/** Entries `firstIndex` up to the next run's `firstIndex` (or the log's end) all have `term`. */
export interface TermRun {
  readonly term: Term;
  readonly firstIndex: Index;
}

/** The runs of consecutive entries. */
export function runsOf(entries: readonly Entry[]): TermRun[] {
  const runs: TermRun[] = [];
  for (const { term, index } of entries) {
    if (runs.at(-1)?.term !== term) runs.push({ term, firstIndex: index });
  }
  return runs;
}

/** Bytes an entry is charged with in every bound: its payload and a fixed cost for the rest. */
export function entryBytes(entry: Entry): number {
  const hasPayload = entry.kind === 'command' || entry.kind === 'session';
  return ENTRY_OVERHEAD_BYTES + (hasPayload ? entry.payload.length : 0);
}

const ENTRY_OVERHEAD_BYTES = 16;
