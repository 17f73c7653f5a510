import type { Configuration } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/entry.ts';
import type { Digest } from '../workload/digest.ts';
import { digestValue, mixBytes, mixString, startDigest } from '../workload/digest.ts';

/** What an entry says besides its index and term, as one safe integer. */
export function entryDigest(entry: Entry): number {
  if (entry.kind === 'noop') return 0;
  const digest = startDigest();
  if (entry.kind === 'command' || entry.kind === 'session') {
    if (entry.kind === 'session') mixString(digest, entry.kind);
    mixBytes(digest, entry.payload);
  } else {
    mixString(digest, entry.clusterId);
    mixConfiguration(digest, entry.configuration);
  }
  return digestValue(digest);
}

/** All that a configuration says, as one safe integer. */
export function configurationDigest(configuration: Configuration): number {
  const digest = startDigest();
  mixConfiguration(digest, configuration);
  return digestValue(digest);
}

function mixConfiguration(digest: Digest, configuration: Configuration): void {
  const { id, voters, outgoing, learners, retired } = configuration;
  mixString(digest, id);
  for (const set of [voters, outgoing, learners]) {
    const all = set.map((m) => [m.id, m.incarnation, m.address, Object.entries(m.metadata ?? {}).sort()]);
    mixString(digest, JSON.stringify(all));
  }
  mixString(digest, retired.map((m) => `${m.id}/${m.incarnation}`).join(' '));
}
