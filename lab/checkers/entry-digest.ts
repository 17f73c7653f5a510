import type { Entry } from '../../src/raft/entry.ts';
import { digestValue, mixBytes, mixString, startDigest } from '../workload/digest.ts';

/** What an entry says besides its index and term, as one safe integer. */
export function entryDigest(entry: Entry): number {
  if (entry.kind === 'noop') return 0;
  const digest = startDigest();
  if (entry.kind === 'command') {
    mixBytes(digest, entry.payload);
  } else {
    mixString(digest, entry.clusterId);
    const { voters, outgoing, learners } = entry.configuration;
    for (const set of [voters, outgoing, learners]) {
      mixString(digest, set.map((m) => `${m.id}/${m.incarnation}/${m.address}`).join(' '));
    }
  }
  return digestValue(digest);
}
