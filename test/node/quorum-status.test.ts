import { describe, expect, it } from 'vitest';
import { quorumOf } from '../../src/node/quorum-status.ts';
import type { Configuration } from '../../src/raft/configuration.ts';
import { memberOf, votersOf } from '../raft/sample-log.ts';
import { Single } from '../raft/single.ts';

const heartbeat = (round: number) =>
  ({ kind: 'Heartbeat', term: 2, round, leaderCommit: 0, freshness: null }) as const;

/** Nothing but time passes. */
function wait(n1: Single, ms: number): void {
  n1.now += ms;
  n1.core.staleness(n1.now);
}

describe('the quorum, as one replica sees it', () => {
  it('is there for who follows, on the word of the leader alone', () => {
    const n1 = new Single().hear('n2', heartbeat(1));
    expect(quorumOf(n1.state)).toEqual({ reachable: true, missing: [] });
  });

  it('is missing for who seeks a leader: nobody answered yet, then somebody does', () => {
    const n1 = new Single().at(500);
    n1.at(n1.core.deadline ?? 0);
    expect(quorumOf(n1.state)).toEqual({
      reachable: false,
      missing: [
        { id: 'n2', sinceMs: null },
        { id: 'n3', sinceMs: null },
      ],
    });
    n1.hear('n3', { kind: 'PreVoteResponse', term: 1, granted: false });
    expect(quorumOf(n1.state)).toEqual({ reachable: true, missing: [{ id: 'n2', sinceMs: null }] });
  });

  it('is missing for a leader once too few were heard lately, and it says since when', () => {
    const n1 = new Single({ options: { checkQuorum: false, clockGapMs: 1_000_000 } }).lead();
    n1.hear('n3', { kind: 'VoteResponse', term: 2, granted: true });
    expect(quorumOf(n1.state)).toEqual({ reachable: true, missing: [] });
    wait(n1, 2000);
    expect(quorumOf(n1.state).missing).toEqual([]);
    wait(n1, 1);
    expect(quorumOf(n1.state)).toEqual({
      reachable: false,
      missing: [
        { id: 'n2', sinceMs: 2001 },
        { id: 'n3', sinceMs: 2001 },
      ],
    });
  });

  it('is missing for a learner that hears its leader no more, though it never seeks another', () => {
    const configuration: Configuration = { ...votersOf('n2', 'n3', 'n4'), learners: [memberOf('n1')] };
    const n1 = new Single({ configuration }).hear('n2', heartbeat(1));
    wait(n1, 2000);
    expect(quorumOf(n1.state)).toEqual({ reachable: true, missing: [] });
    wait(n1, 1);
    expect(n1.core.deadline).toBe(null);
    expect(quorumOf(n1.state)).toEqual({
      reachable: false,
      missing: [
        { id: 'n2', sinceMs: 2001 },
        { id: 'n3', sinceMs: null },
        { id: 'n4', sinceMs: null },
      ],
    });
  });
});
