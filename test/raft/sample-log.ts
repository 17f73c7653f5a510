import type { Configuration, Member } from '../../src/raft/configuration.ts';
import type { ConfigurationEntry, Entry, Index, Term, TermRun } from '../../src/raft/entry.ts';
import type { ReplicaId } from '../../src/raft/identity.ts';

export const clusterId = 'c0ffee00c0ffee00';
export const group = 'main';

export function replica(id: string, boot = 1, life = 1): ReplicaId {
  return { id, incarnation: `${id}-incarnation${life === 1 ? '' : `-${life}`}`, boot };
}

export function memberOf(id: string): Member {
  return { id, incarnation: `${id}-incarnation`, address: `${id}:1` };
}

export function votersOf(...ids: string[]): Configuration {
  return { id: '1.1', voters: ids.map(memberOf), outgoing: [], learners: [], retired: [] };
}

export function configurationEntry(configuration: Configuration, term: Term = 1): ConfigurationEntry {
  return { kind: 'configuration', index: 1, term, clusterId, configuration };
}

export function command(index: Index, term: Term, text = `${index}/${term}`): Entry {
  return { kind: 'command', index, term, payload: new TextEncoder().encode(text) };
}

/** Entry 1 is the configuration; the entries after it have the given terms. */
export function logOf(configuration: Configuration, terms: readonly Term[]): Entry[] {
  return [
    configurationEntry(configuration, terms[0] ?? 1),
    ...terms.slice(1).map((term, position) => command(position + 2, term)),
  ];
}

export function runsOf(entries: readonly Entry[]): TermRun[] {
  const runs: TermRun[] = [];
  for (const { term, index } of entries) {
    if (runs.at(-1)?.term !== term) runs.push({ term, firstIndex: index });
  }
  return runs;
}
