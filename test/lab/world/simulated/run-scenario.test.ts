import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { formatResultsJson } from '../../../../lab/report/json.ts';
import { parseScenario } from '../../../../lab/scenario/parse.ts';
import { runScenario } from '../../../../lab/world/simulated/run-scenario.ts';

const folder = fileURLToPath(new URL('../../../../scenarios/', import.meta.url));
const shipped = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .sort()
  .map((file) => parseScenario({ text: readFileSync(`${folder}${file}`, 'utf8'), file }));

const scenario = (text: string) =>
  parseScenario({
    text: `name: test\n${text.includes('duration:') ? '' : 'duration: 10s\n'}${text}`,
    file: 'test.yaml',
  });

/** The gate runs all of each; here the first part of it, twice. */
const BRIEF_MS = 10_000;
/** Of one that overloads its replicas, which takes as long as all others together. */
const BRIEF_OVERLOAD_MS = 6_500;

describe('every shipped scenario', () => {
  it.each(shipped.map((one) => [one.name, one] as const))(
    '%s holds, and its bytes are those of its seed',
    async (_name, whole) => {
      const briefMs = whole.workload.overload === null ? BRIEF_MS : BRIEF_OVERLOAD_MS;
      const timeline = whole.timeline.filter(({ atMs }) => atMs < briefMs);
      const one = { ...whole, timeline, durationMs: Math.min(whole.durationMs, briefMs) };
      const first = await runScenario(one, { seed: 7 });
      expect(first.violation).toBeNull();
      expect(first.injections).toHaveLength(one.timeline.length);
      const again = await runScenario(one, { seed: 7 });
      expect(formatResultsJson([again])).toBe(formatResultsJson([first]));
    },
    180_000,
  );

  it('snapshot-catch-up resumes a transfer that lost its leader', async () => {
    const one = shipped.find(({ name }) => name === 'snapshot-catch-up');
    if (one === undefined) throw new Error('snapshot-catch-up is not shipped');
    const demanding = { ...one, expect: { ...one.expect, snapshotResumed: true } };
    expect((await runScenario(demanding, { seed: 7 })).violation).toBeNull();
    // Nothing interrupts the transfer where nobody takes the leader away.
    const uninterrupted = { ...demanding, timeline: one.timeline.slice(0, 2) };
    expect((await runScenario(uninterrupted, { seed: 7 })).violation?.checker).toBe('snapshot-resumed');
  });

  it('lease-beyond-drift shows a stale read, and whose clock is to blame', async () => {
    const one = shipped.find(({ name }) => name === 'lease-beyond-drift');
    if (one === undefined) throw new Error('lease-beyond-drift is not shipped');
    const { shown, injections } = await runScenario(one, { seed: 3 });
    const struck = injections.find(({ what }) => what.startsWith('clock: '))?.on[0];
    expect(shown).toMatch(/cannot be put in one order/);
    expect(shown).toContain(
      `made clocks (of ${struck}) drift by 80%, and the replicas were told 10% at most`,
    );
    // Where a stale read is not what is wanted, it is a violation, with the same words.
    const unwanted = { ...one, expect: { ...one.expect, staleRead: false } };
    const { violation } = await runScenario(unwanted, { seed: 3 });
    expect(violation).toMatchObject({ checker: 'linearizability', sentence: shown });
    // Where every clock keeps what was declared, none is found, and that is said.
    const within = { ...one, cluster: { ...one.cluster, clockDriftPerMille: 900 } };
    expect((await runScenario(within, { seed: 3 })).violation?.checker).toBe('stale-read');
  });

  it('disk-full has nobody step aside without a reserve, and writes fail where there is no time for it', async () => {
    const one = shipped.find(({ name }) => name === 'disk-full');
    if (one === undefined) throw new Error('disk-full is not shipped');
    const timeline = one.timeline.slice(0, 1).map((step) => ({ ...step, forMs: 5_000 }));
    const brief = { ...one, timeline, durationMs: BRIEF_MS };
    const found = async (of: typeof one) => (await runScenario(of, { seed: 7 })).violation;
    expect(await found(brief)).toBeNull();
    const careless = { ...brief, cluster: { ...one.cluster, reserveBytes: 0 } };
    expect((await found(careless))?.sentence).toMatch(
      /^the disk of n[123] was filled, and nobody stepped aside$/,
    );
    const atOnce = brief.timeline.map((step) => ({
      ...step,
      fault: { kind: 'disk', on: { kind: 'followers', count: 1 }, how: 'fills', bytesLeft: 0 } as const,
    }));
    expect((await found({ ...brief, timeline: atOnce }))?.sentence).toMatch(/^a write of n[123] failed/);
  });

  it('has other bytes with another seed', async () => {
    const first = await runScenario(scenario(''), { seed: 7 });
    const other = await runScenario(scenario(''), { seed: 8 });
    expect(other.digest).not.toBe(first.digest);
  });
});

describe('trouble of every kind', () => {
  it.each([
    [
      'a lossy, slow network',
      'network: {latency: 1ms..80ms, loss: 10%, duplicate: 10%}\nexpect: {recovery-within: 20s}',
    ],
    ['a crash of the leader', 'timeline: [{at: 3s, for: 2s, crash: leader}]'],
    ['a power cut of everybody', 'timeline: [{at: 3s, for: 1s, crash: {on: all, power: true}}]'],
    ['a disk that hangs', 'timeline: [{at: 3s, for: 3s, disk: {on: one follower, hang: true}}]'],
    ['slow disks everywhere', 'timeline: [{at: 3s, for: 4s, disk: {on: all, latency: 20ms..60ms}}]'],
    [
      'clocks that all run too fast',
      'duration: 24s\ntimeline: [{at: 3s, for: 15s, clock: {on: all, rate: 1.5}}]\nexpect: {settles-within: 3s}',
    ],
    [
      'clocks that all run too slow',
      'duration: 24s\ntimeline: [{at: 3s, for: 15s, clock: {on: all, rate: 0.5}}]\nexpect: {settles-within: 3s}',
    ],
    [
      'a follower whose clock runs ten times too fast',
      'duration: 24s\ntimeline: [{at: 3s, for: 15s, clock: {on: one follower, rate: 10}}]\nexpect: {settles-within: 3s}',
    ],
    [
      'a leader whose clock runs ten times too slow, which is beyond every bound',
      'duration: 24s\ntimeline: [{at: 3s, for: 15s, clock: {on: leader, rate: 0.1}}]\nexpect: {settles-within: 5s}',
    ],
    ['a leader that stands still', 'timeline: [{at: 3s, for: 3s, pause: leader}]'],
    ['failing reads', 'cluster: {limits: {cache: 0B}}\ntimeline: [{at: 3s, disk: {on: all, fail: read}}]'],
    ['a full disk of the leader', 'timeline: [{at: 3s, for: 3s, disk: {on: leader, full: true}}]'],
    [
      'databases on disks that are nearly full',
      'cluster: {backend: level}\ntimeline: [{at: 3s, for: 2s, disk: {on: all, full: 2KiB}}]',
    ],
    [
      'disks that run full in the middle of snapshots',
      'cluster: {snapshots: {entries: 20, keep-entries: 5}}\ntimeline: [{at: 3s, for: 2s, disk: {on: all, full: 1KiB}}]',
    ],
    [
      'power cuts, one after another',
      'timeline: [{at: 2s, for: 100ms, every: 700ms, times: 8, crash: {on: all, power: true}}]',
    ],
    ['failing syncs', 'timeline: [{at: 3s, disk: {on: all, fail: sync}}]'],
    ['a one-way partition', 'timeline: [{at: 3s, for: 4s, partition: {on: leader, direction: incoming}}]'],
    ['a clock that runs fast', 'timeline: [{at: 2s, for: 5s, clock: {on: leader, rate: 1.5}}]'],
    [
      'the level backend',
      'cluster: {backend: level}\ntimeline: [{at: 3s, for: 1s, crash: {on: all, power: true}}]',
    ],
    [
      'compressed blocks on two shards',
      'cluster: {codec: gzip, shards: 2}\ntimeline: [{at: 3s, for: 1s, crash: {on: minority}}]',
    ],
    [
      'a single replica',
      'cluster: {replicas: 1}\ntimeline: [{at: 3s, for: 1s, crash: {on: n1, power: true}}]',
    ],
    ['a disk emptied while nobody leads', 'timeline: [{at: 3s, for: 1s, wipe: leader}]'],
    [
      'an emptied disk of the level backend',
      'cluster: {backend: level, snapshots: {entries: 50, keep-entries: 5}}\ntimeline: [{at: 3s, for: 1s, wipe: follower}]',
    ],
    [
      'a power cut of everybody, with snapshots under way',
      'cluster: {snapshots: {entries: 20, keep-entries: 5}}\n' +
        'timeline: [{at: 3s, for: 1s, crash: {on: all, power: true}}, {at: 6s, for: 1s, crash: {on: all, power: true}}]',
    ],
    [
      'a disk that fails in the middle of snapshots',
      'cluster: {backend: level, snapshots: {entries: 20, keep-entries: 5}}\n' +
        'timeline: [{at: 3s, disk: {on: all, fail: sync, times: 3}}, {at: 6s, disk: {on: follower, fail: write, times: 2}}]',
    ],
    [
      'a leader cut off in the middle of a change of the membership',
      'cluster: {spares: 2}\nnetwork: {latency: 10ms..40ms}\n' +
        'timeline: [{at: 3s, membership: {add: [n4, n5]}}, {at: 3100ms, for: 3s, partition: leader}]\nexpect: {recovery-within: 20s}',
    ],
    [
      'a crash of everybody in the middle of a change of the membership',
      'cluster: {spares: 2}\nnetwork: {latency: 10ms..40ms}\n' +
        'timeline: [{at: 3s, membership: {add: [n4, n5], remove: leader}}, {at: 3400ms, for: 1s, crash: {on: all, power: true}}]\n' +
        'expect: {recovery-within: 20s}',
    ],
    [
      'five replicas without a minority',
      'cluster: {replicas: 5}\ntimeline: [{at: 3s, for: 3s, partition: minority}]',
    ],
  ])('%s is survived', async (_name, text) => {
    for (let seed = 1; seed <= 2; seed += 1) {
      const result = await runScenario(scenario(text), { seed });
      expect(result.violation).toBeNull();
      expect(result.operations.acknowledged).toBeGreaterThan(0);
    }
  });
});

describe('a run', () => {
  it('tells of a bound that is not kept, and shows the last steps', async () => {
    const tight = scenario(
      'timeline: [{at: 3s, for: 4s, partition: leader}]\nexpect: {unavailable-at-most: 20ms}',
    );
    const { violation } = await runScenario(tight, { seed: 1 });
    expect(violation?.checker).toBe('unavailable-at-most');
    expect(violation?.sentence).toMatch(/clients waited \d+.* ms with nothing acknowledged.*at most 20 ms/);
  });

  it('tells when the majority has no new leader in time', async () => {
    const tight = scenario(
      'timeline: [{at: 3s, for: 4s, partition: leader}]\nexpect: {new-leader-within: 5ms}',
    );
    const { violation, trace, injections } = await runScenario(tight, { seed: 1 });
    expect(violation?.checker).toBe('new-leader-within');
    const struckAt = injections[0]?.atMs ?? 0;
    expect(struckAt).toBeGreaterThan(3000);
    expect(violation?.sentence).toBe(
      `n1, leader of term 2, was taken away at ${struckAt} ms, and within 5 ms none of n2, n3 led a later term`,
    );
    expect(violation?.atMs).toBe(struckAt + 5);
    expect(trace.length).toBeGreaterThan(20);
    const lastAt = Number.parseFloat(trace.at(-1) ?? '');
    expect(lastAt).toBeGreaterThanOrEqual(struckAt);
    expect(lastAt).toBeLessThanOrEqual(struckAt + 5);
  });

  it('tells when a leader cut off does not step down in time', async () => {
    const tight = scenario(
      'timeline: [{at: 3s, for: 4s, partition: leader}]\nexpect: {step-down-within: 5ms}',
    );
    expect((await runScenario(tight, { seed: 1 })).violation?.checker).toBe('step-down-within');
  });

  it('tells when a change of the membership does not come about in time, and why', async () => {
    const stuck = scenario(
      'cluster: {spares: 1}\ntimeline: [{at: 2s, crash: majority}, {at: 3s, membership: {add: n4}}]\n' +
        'expect: {membership-within: 3s}',
    );
    const { violation } = await runScenario(stuck, { seed: 1 });
    expect(violation?.checker).toBe('membership-within');
    expect(violation?.sentence).toMatch(/^within 3000 ms after \d+.* \(add n4\): /);
  });

  it('tells when a log, or a disk, outgrows its bound', async () => {
    const text = (bound: string): string =>
      `cluster: {snapshots: {entries: 50, keep-entries: 10}}\nexpect: {${bound}}`;
    const check = async (bound: string): Promise<string | undefined> =>
      (await runScenario(scenario(text(bound)), { seed: 1 })).violation?.sentence;
    expect(await check('log-at-most: 59')).toMatch(
      /^the log of n\d has 60 entries, .*; at most 59 were allowed$/,
    );
    expect(await check('log-at-most: 120')).toBeUndefined();
    expect(await check('disk-at-most: 1KiB')).toMatch(
      /^the disk of n\d holds \d+ bytes; at most 1024 were allowed$/,
    );
    expect(await check('disk-at-most: 512KiB')).toBeUndefined();
  });

  it('tells when the cluster does not recover', async () => {
    const dead = scenario('timeline: [{at: 3s, crash: {on: majority}}]\nexpect: {recovery-within: 20ms}');
    expect((await runScenario(dead, { seed: 1 })).violation?.checker).toBe('recovery-within');
  });

  it('tells when replicas agree again but no client was served in time', async () => {
    // About one call in a second: the replicas are back at once, the next acknowledgement is not.
    const quiet = scenario(
      'workload: {clients: 1, operations-per-second: 1}\n' +
        'timeline: [{at: 3s, for: 1s, pause: leader}]\nexpect: {recovery-within: 20ms}',
    );
    const { violation } = await runScenario(quiet, { seed: 1 });
    expect(violation?.checker).toBe('recovery-within');
    expect(violation?.sentence).toMatch(/^no operation called after the last fault/);
  });

  it('ends when it is told to', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(runScenario(scenario(''), { seed: 1, signal })).rejects.toThrow('enough');
  });
});
