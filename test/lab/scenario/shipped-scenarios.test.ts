import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { idsUpTo } from '../../../lab/scenario/membership-checks.ts';
import { parseScenario } from '../../../lab/scenario/parse.ts';
import type { Fault, Scenario } from '../../../lab/scenario/scenario.ts';

const folder = new URL('../../../scenarios/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const textOf = (file: string): string => readFileSync(new URL(file, folder), 'utf8');
const shipped = (name: string): Scenario =>
  parseScenario({ text: textOf(`${name}.yaml`), file: `scenarios/${name}.yaml` });

describe('every shipped scenario', () => {
  it.each(files)('%s is sound, named like its file, told as a story, and known to editors', (file) => {
    const text = textOf(file);
    const scenario = parseScenario({ text, file });
    expect(`${scenario.name}.yaml`).toBe(file);
    expect(scenario.description).not.toBe('');
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/schema\/scenario\.schema\.json\n#\n# \S/);
    expect(scenario.expect.unavailableAtMostMs).not.toBeNull();
  });
});

describe('the founding matrix', () => {
  it('has a fault-free baseline', () => {
    expect(shipped('baseline').timeline).toEqual([]);
  });

  it('cuts the leader of three off for 30 s and wants another within 2 s', () => {
    const { cluster, timeline, expect: bounds } = shipped('partition-leader');
    expect(cluster.replicas).toBe(3);
    expect(timeline).toMatchObject([
      { forMs: 30_000, fault: { kind: 'partition', on: { kind: 'leader' }, direction: 'both' } },
    ]);
    expect(bounds.newLeaderWithinMs).toBe(2000);
    expect(bounds.stepDownWithinMs).not.toBeNull();
  });

  it('fails one write on a follower, then one on the leader, and wants both storages reopened', () => {
    const { cluster, timeline, expect: bounds } = shipped('persist-failure');
    expect(cluster.replicas).toBe(3);
    expect(timeline.map(({ fault }) => fault)).toEqual([
      { kind: 'disk', on: { kind: 'followers', count: 1 }, how: 'fails', operation: 'write', times: 1 },
      { kind: 'disk', on: { kind: 'leader' }, how: 'fails', operation: 'write', times: 1 },
    ]);
    expect(bounds.storageReopened).toBe(true);
  });

  it('moves the clock of one of two by more than 500 ms for 10 s, forwards and backwards', () => {
    const { cluster, timeline } = shipped('clock-skew');
    expect(cluster.replicas).toBe(2);
    for (const step of timeline) expect(step).toMatchObject({ forMs: 10_000, fault: { kind: 'clock' } });
    const offsets = timeline.flatMap(({ fault }) => (fault.kind === 'clock' ? [fault.offsetMs] : []));
    expect(offsets.some((offset) => offset > 500)).toBe(true);
    expect(offsets.some((offset) => offset < -500)).toBe(true);
  });
});

describe('the matrix of links', () => {
  it.each(['bridge', 'ring'])(
    'leaves a %s in place until the end, and takes the leader away meanwhile',
    (name) => {
      const { timeline, expect: bounds } = shipped(name);
      expect(timeline).toContainEqual(
        expect.objectContaining({ forMs: null, fault: expect.objectContaining({ shape: name }) }),
      );
      expect(timeline).toContainEqual(
        expect.objectContaining({ fault: { kind: 'pause', on: { kind: 'leader' } } }),
      );
      expect(bounds.settlesWithinMs).not.toBeNull();
    },
  );

  it('silences and deafens a leader, and leaves two links that carry one way only', () => {
    const { timeline, expect: bounds } = shipped('one-way');
    const cuts = timeline.map(({ forMs, fault }) =>
      fault.kind === 'partition' && fault.shape === 'cut-off'
        ? `${fault.direction} ${fault.from?.kind ?? 'all'} ${forMs === null ? 'to the end' : ''}`.trim()
        : fault.kind,
    );
    expect(cuts).toEqual([
      'incoming all',
      'outgoing all',
      'outgoing followers to the end',
      'incoming followers to the end',
    ]);
    expect(bounds.settlesWithinMs).not.toBeNull();
  });
});

describe('bad days of disks', () => {
  const strikes = (name: string): string[] =>
    shipped(name).timeline.map(({ fault }) => {
      const [how, on] = fault.kind === 'disk' ? [fault.how, fault.on.kind] : [fault.kind, ''];
      const operation = fault.kind === 'disk' && fault.how === 'fails' ? `${fault.operation} ` : '';
      return `${operation}${how} ${on}`.trim();
    });

  it('cuts the power of all replicas at once, 100 times, and lets them serve between', () => {
    const { timeline, cluster } = shipped('power-cut');
    expect(timeline).toHaveLength(100);
    for (const { fault } of timeline)
      expect(fault).toEqual({ kind: 'crash', on: { kind: 'all' }, power: true });
    const gaps = timeline.slice(1).map(({ atMs }, at) => atMs - (timeline[at]?.atMs ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThan(2 * cluster.electionTimeout.toMs);
  });

  it.each([
    { name: 'bit-rot', what: 'blocks', scrubbed: ['n2', 'n5'] },
    { name: 'snapshot-rot', what: 'snapshots', scrubbed: [] },
  ])(
    'lets $what rot on one replica, on a minority and on each in the end, and opens them anew or scrubs',
    ({ name, what, scrubbed }) => {
      const { timeline, cluster, durationMs, expect: bounds } = shipped(name);
      const foundByScrub: string[] = [];
      const rotten = timeline.flatMap(({ atMs, fault }) =>
        fault.kind === 'disk' && fault.how === 'rots' && fault.what === what && fault.on.kind === 'ids'
          ? fault.on.ids.map((id) => ({ id, atMs }))
          : [],
      );
      expect(new Set(rotten.map(({ id }) => id)).size).toBe(cluster.replicas);
      for (const { id, atMs } of rotten) {
        const openedAfter = timeline.some(
          ({ atMs: crashedAtMs, forMs, fault }) =>
            fault.kind === 'crash' &&
            fault.on.kind === 'ids' &&
            fault.on.ids.includes(id) &&
            crashedAtMs + (forMs ?? 0) > atMs,
        );
        if (openedAfter) continue;
        foundByScrub.push(id);
        expect(atMs + cluster.scrubIntervalMs).toBeLessThan(durationMs);
      }
      expect(foundByScrub).toEqual(scrubbed);
      expect(bounds.damageRepaired).toBe(true);
    },
  );

  it('loses hard states, an identity and whole databases, of a minority each time, and opens all of them anew', () => {
    const { timeline, cluster, expect: bounds } = shipped('lost-hard-state');
    const lost = timeline.flatMap(({ atMs, fault }) =>
      fault.kind === 'disk' && fault.how === 'rots' && fault.places === 'all' && fault.on.kind === 'ids'
        ? [{ atMs, what: fault.what, ids: fault.on.ids }]
        : [],
    );
    expect(lost.map(({ what, ids }) => `${what} ${ids.length}`)).toEqual([
      'blocks 1',
      'hard-state 1',
      'hard-state 2',
      'blocks 2',
      'identity 1',
    ]);
    for (const { atMs, ids } of lost) {
      expect(ids.length).toBeLessThan(cluster.replicas / 2);
      const isStarted = timeline.some(
        ({ atMs: crashedAtMs, forMs, fault }) =>
          fault.kind === 'crash' &&
          fault.on.kind === 'ids' &&
          ids.every((id) => fault.on.kind === 'ids' && fault.on.ids.includes(id)) &&
          crashedAtMs + (forMs ?? 0) > atMs,
      );
      expect([ids, isStarted]).toEqual([ids, true]);
    }
    expect(cluster.backend).toBe('level');
    expect(bounds.damageRepaired).toBe(true);
  });

  it('fills the disk of one, of the leader, of all, and frees each', () => {
    for (const name of ['disk-full', 'disk-full-at-once']) {
      expect(strikes(name)).toEqual(['fills followers', 'fills leader', 'fills all']);
      for (const { forMs } of shipped(name).timeline) expect(forMs).not.toBeNull();
    }
    const { cluster, timeline, expect: nearly } = shipped('disk-full');
    for (const { fault } of timeline) {
      const left = fault.kind === 'disk' && fault.how === 'fills' ? fault.bytesLeft : 0;
      expect([left > 0, left < cluster.reserveBytes]).toEqual([true, true]);
    }
    expect(nearly.stepsAside).toBe(true);
    // Shorter, and one that takes all it is sent passes: what is written meanwhile fits into a quarter of the reserve.
    for (const { forMs } of timeline.slice(0, 2)) expect(forMs).toBeGreaterThanOrEqual(16_000);
    const { expect: atOnce } = shipped('disk-full-at-once');
    expect([atOnce.storageReopened, atOnce.newLeaderWithinMs !== null]).toEqual([true, true]);
  });

  it('fails reads, writes and syncs on the leader and on followers in turn', () => {
    expect(strikes('disk-errors')).toEqual([
      'write fails leader',
      'sync fails followers',
      'sync fails leader',
      'write fails followers',
      'read fails leader',
      'read fails followers',
      'sync fails all',
    ]);
    expect(shipped('disk-errors').expect.storageReopened).toBe(true);
  });
});

describe('the overload', () => {
  it('asks ten times what the limits let through, beside a slow follower and a disk that hangs', () => {
    const { cluster, network, workload, timeline, expect: bounds } = shipped('overload');
    const { overload } = workload;
    // A round trip for each full set of uncommitted entries, of at least 32 bytes each.
    const roundTripMs = network.latency.fromMs * 2;
    const capacity = (cluster.limits.uncommittedBytes / 32 / roundTripMs) * 1000;
    expect(overload?.operationsPerSecond).toBeGreaterThan(capacity * 3);
    const troubles = timeline.map(({ fault }) => (fault.kind === 'disk' ? fault.how : fault.kind));
    expect(troubles).toEqual(['slows', 'network', 'hangs']);
    expect([bounds.memoryBounded, bounds.overloadRefused]).toEqual([true, true]);
  });
});

describe('the changing matrix', () => {
  const changes = (name: string): readonly Fault[] => shipped(name).timeline.map(({ fault }) => fault);

  it('replaces every first member, one by one, under load', () => {
    const { cluster } = shipped('rolling-replacement');
    const replaced = changes('rolling-replacement').flatMap((fault) =>
      fault.kind === 'membership' ? fault.replace : [],
    );
    expect(replaced.map(({ id }) => id)).toEqual(idsUpTo(cluster.replicas));
  });

  it('grows from one to five, and shrinks back to one', () => {
    let members = idsUpTo(shipped('grow-and-shrink').cluster.replicas);
    const sizes = changes('grow-and-shrink').flatMap((fault) => {
      if (fault.kind !== 'membership') return [];
      const { add, addLearners, remove } = fault;
      const left = remove?.kind === 'ids' ? remove.ids : [];
      members = [...members, ...add, ...addLearners].filter((id) => !left.includes(id));
      return [members.length];
    });
    expect([Math.max(...sizes), sizes.at(-1)]).toEqual([5, 1]);
  });

  it('removes whoever leads', () => {
    expect(changes('remove-leader')).toContainEqual(
      expect.objectContaining({ kind: 'membership', remove: { kind: 'leader' } }),
    );
  });

  it.each([
    ['wiped-follower', { kind: 'followers', count: 1 }],
    ['wiped-leader', { kind: 'leader' }],
    ['two-of-five-wiped', { kind: 'ids', ids: ['n2'] }],
  ])('%s empties the disk it is named for', (name, on) => {
    expect(changes(name)).toContainEqual({ kind: 'wipe', on });
  });

  it('lets a follower fall behind the log, and gives it a bad link and other leaders when it is back', () => {
    const { timeline, cluster, workload } = shipped('snapshot-catch-up');
    const [away, link] = timeline;
    expect(away?.fault).toMatchObject({ kind: 'partition', on: { kind: 'ids', ids: ['n3'] } });
    const missed = ((away?.forMs ?? 0) / 1000) * workload.operationsPerSecond;
    expect(missed).toBeGreaterThan(2 * (cluster.snapshots.entries + cluster.snapshots.keepEntries));
    expect(link?.fault).toMatchObject({ kind: 'network', on: { kind: 'ids', ids: ['n3'] } });
    const during = timeline.filter(({ atMs }) => atMs > (link?.atMs ?? 0));
    expect(during.filter(({ fault }) => 'on' in fault && fault.on.kind === 'leader')).toHaveLength(3);
  });

  it('compacts for an hour, with bounds far below what an hour brings', () => {
    const { durationMs, workload, expect: bounds } = shipped('compaction-hour');
    expect(durationMs).toBe(3_600_000);
    const entries = (durationMs / 1000) * workload.operationsPerSecond;
    expect(entries / (bounds.logAtMost ?? entries)).toBeGreaterThan(10);
    expect(bounds.diskAtMostBytes).not.toBeNull();
  });
});

describe('sessions', () => {
  it('exactly-once loses answers and leaders, and cuts a follower off until it needs a snapshot', () => {
    const { cluster, workload, timeline } = shipped('exactly-once');
    expect(workload.sessions).toBe(true);
    expect(workload.lostAnswersPerMille).toBeGreaterThan(0);
    // So that the clients do retry while nobody leads.
    expect(workload.timeoutMs).toBeLessThan(cluster.electionTimeout.fromMs);
    const [away] = timeline;
    expect(away?.fault).toMatchObject({ kind: 'partition', on: { kind: 'ids', ids: ['n3'] } });
    const { read, write, cas } = workload.mix;
    const writesPerSecond = (workload.operationsPerSecond * (write + cas)) / (read + write + cas);
    const missed = ((away?.forMs ?? 0) / 1000) * writesPerSecond;
    expect(missed).toBeGreaterThan(2 * (cluster.snapshots.entries + cluster.snapshots.keepEntries));
    // Each of the others is gone for a while afterwards, so that nothing is decided without it.
    const crashed = timeline.flatMap(({ fault }) =>
      fault.kind === 'crash' && fault.on.kind === 'ids' ? fault.on.ids : [],
    );
    expect(crashed).toEqual(['n1', 'n2']);
  });
});
