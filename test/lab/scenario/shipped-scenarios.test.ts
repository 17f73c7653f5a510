import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseScenario } from '../../../lab/scenario/parse.ts';
import type { Scenario } from '../../../lab/scenario/scenario.ts';

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
      { kind: 'disk', on: { kind: 'followers', count: 1 }, operation: 'write', times: 1 },
      { kind: 'disk', on: { kind: 'leader' }, operation: 'write', times: 1 },
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
