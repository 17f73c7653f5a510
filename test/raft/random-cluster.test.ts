import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonical } from '../../src/raft/canonical.ts';
import { describeEnvelope, describeState } from '../../src/raft/describe.ts';
import { Chaos, drive } from './models/chaos.ts';
import { profiles } from './models/chaos-profiles.ts';

const nothing = {
  elections: 0,
  committed: 0,
  truncated: 0,
  compacted: 0,
  installed: 0,
  granted: 0,
  byLease: 0,
  repaired: 0,
  abandoned: 0,
  whole: 0,
  aside: 0,
  hung: 0,
  full: 0,
};

/** What happens at least, in one run of many. */
interface Expected extends Partial<typeof nothing> {
  readonly name: keyof typeof profiles;
  readonly runs: number;
}

describe('a cluster of bare cores, driven by chance', () => {
  test.each([
    // A chaos in which nothing ever happens would prove nothing: what happens at least, in one run of many.
    {
      name: 'calm',
      runs: 20,
      elections: 1,
      committed: 50,
      compacted: 10,
      installed: 0.5,
      granted: 300,
      hung: 0.2,
    },
    {
      name: 'rough',
      runs: 35,
      elections: 2,
      committed: 10,
      truncated: 0.3,
      compacted: 5,
      installed: 0.5,
      hung: 0.05,
    },
    {
      name: 'turbulent',
      runs: 75,
      elections: 5,
      committed: 30,
      truncated: 0.7,
      compacted: 4,
      installed: 0.4,
    },
    {
      name: 'damaged',
      runs: 120,
      elections: 2,
      committed: 10,
      repaired: 0.4,
      abandoned: 0.1,
      whole: 1.5,
    },
    { name: 'crowded', runs: 40, elections: 2, committed: 10, whole: 1, aside: 0.02, full: 0.02 },
    { name: 'leases', runs: 40, elections: 3, committed: 10, granted: 100, byLease: 30 },
  ] as readonly Expected[])('keeps every promise of Raft, and recovers once all heals: $name', (expected) => {
    const seen = { runs: 0, ...nothing };
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(1, 2, 3, 3, 3, 4, 5, 5), (seed, replicas) => {
        const chaos = drive(seed, replicas, 12_000, profiles[expected.name]);
        chaos.heal();
        expect(
          chaos.cluster.replicas.map(({ core }) => core?.state.reads),
          'all reads are granted',
        ).toEqual(chaos.cluster.replicas.map(() => []));
        const terms = chaos.cluster.replicas.map(({ applied }) => applied.map(({ term }) => term).join());
        expect(new Set(terms).size, 'all apply the same').toBe(1);
        chaos.oracle.checkLogMatching();
        seen.runs += 1;
        seen.elections += chaos.oracle.leaders.size;
        seen.committed += chaos.oracle.committed.length;
        seen.granted += chaos.reads.granted;
        seen.byLease += chaos.reads.grantedByLease;
        for (const { events, core } of chaos.cluster.replicas) {
          seen.aside += core?.state.drops['disk-nearly-full'] ?? 0;
          const handedOver = (why: RegExp): number =>
            events.filter((event) => event.kind === 'leadership-transfer-begun' && why.test(event.reason))
              .length;
          seen.hung += handedOver(/storage stands still/);
          seen.full += handedOver(/nearly full/);
          const count = (wanted: string): number => events.filter(({ kind }) => kind === wanted).length;
          seen.truncated += count('log-truncated');
          seen.compacted += count('log-compacted');
          seen.installed += count('snapshot-installed');
          seen.repaired += count('log-repaired');
          seen.abandoned += count('repair-abandoned');
          seen.whole += count('log-whole');
        }
      }),
      // Schedules that the model itself once judged wrongly: who acknowledged an entry behind a hole, and lost that part
      // to a snapshot, counts by its promise; and an only voter compacted what it had just committed.
      {
        numRuns: expected.runs,
        examples: [
          [20244, 5],
          [119, 1],
        ],
      },
    );
    for (const what of Object.keys(nothing) as (keyof typeof nothing)[]) {
      expect(seen[what] / seen.runs, what).toBeGreaterThanOrEqual(expected[what] ?? 0);
    }
  });

  test('does nothing wrong, however many disks lose what was acknowledged', () => {
    let stuck = 0;
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(2, 3, 3, 4, 5), (seed, replicas) => {
        const { cluster } = drive(seed, replicas, 8_000, profiles.ruined);
        // Where too much is lost nobody leads any more, and nobody makes anything up.
        if (cluster.leaders.length === 0) stuck += 1;
      }),
      { numRuns: 40 },
    );
    expect(stuck).toBeGreaterThan(5);
  });

  test('does the same, to the last bit, for the same seed', () => {
    const end = (seed: number): string =>
      drive(seed, 3, 6000, profiles.rough)
        .cluster.replicas.map(({ core }) => (core === null ? 'down' : canonical(core.state)))
        .join('\n');
    expect(end(7)).toBe(end(7));
    expect(end(7)).not.toBe(end(8));
  });

  test('every state and message has a description of one line', () => {
    const chaos = new Chaos(3, 3, profiles.rough);
    const described = new Set<string>();
    chaos.cluster.onSend = (_sender, envelope) => described.add(describeEnvelope(envelope));
    for (let step = 0; step < 6000; step += 1) chaos.step();
    for (const { core } of chaos.cluster.replicas)
      if (core !== null) described.add(describeState(core.state));
    for (const line of described) expect(line).toMatch(/^\S[^\n]+$/);
    expect(described.size).toBeGreaterThan(50);
  });
});
