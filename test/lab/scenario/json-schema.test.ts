import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { scenarioJsonSchema } from '../../../lab/scenario/json-schema.ts';

const file = new URL('../../../schema/scenario.schema.json', import.meta.url);

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly anyOf?: readonly SchemaNode[];
  readonly items?: SchemaNode;
}

describe('the JSON Schema', () => {
  it('in schema/ is the one that the parser goes by (npm run schema makes it anew)', () => {
    expect(readFileSync(file, 'utf8')).toBe(scenarioJsonSchema());
  });

  it('describes every setting, except where the name of the setting says all', () => {
    const bare: string[] = [];
    const walk = (node: SchemaNode, path: string): void => {
      for (const [key, child] of Object.entries(node.properties ?? {})) {
        if (child.description === undefined) bare.push(`${path}${key}`);
        walk(child, `${path}${key}.`);
      }
      for (const branch of node.anyOf ?? []) walk(branch, path);
      if (node.items) walk(node.items, `${path}[].`);
    };
    walk(JSON.parse(scenarioJsonSchema()), '');
    const selectors = ['partition', 'network', 'disk', 'clock', 'crash', 'pause', 'wipe'].map(
      (fault) => `timeline.[].${fault}.on`,
    );
    const weights = ['read', 'write', 'cas'].map((kind) => `workload.mix.${kind}`);
    expect(bare.filter((path) => !selectors.includes(path) && !weights.includes(path))).toEqual([]);
  });

  it('tells an editor right from wrong without us', () => {
    const text = JSON.parse(scenarioJsonSchema());
    // zod overlooks a `required` that stands alone; every other validator minds it.
    const { oneOf, ...item } = text.properties.timeline.items;
    expect(oneOf).toEqual(
      ['partition', 'network', 'disk', 'clock', 'crash', 'pause', 'wipe', 'membership'].map((fault) => ({
        required: [fault],
      })),
    );
    text.properties.timeline.items = item;
    const { oneOf: troubles, ...disk } = item.properties.disk;
    expect(troubles).toEqual(['fail', 'hang', 'latency', 'full', 'rot'].map((one) => ({ required: [one] })));
    item.properties.disk = disk;
    const schema = z.fromJSONSchema(text);
    const timeline = (item: object): object => ({ duration: '1m', timeline: [item] });
    const right: object[] = [
      { duration: '30s' },
      { duration: '1.5s', cluster: { replicas: 5, 'election-timeout': '150ms..300ms' } },
      timeline({ at: '5s', for: '3s', partition: 'leader' }),
      timeline({ at: '5s', partition: { on: ['n1', 'n3'], direction: 'incoming' } }),
      timeline({ at: '5s', clock: { on: 'n1', offset: '-600ms' } }),
      timeline({ at: '5s', disk: { on: '2 followers', fail: 'write' } }),
      timeline({ at: '5s', partition: 'bridge' }),
      timeline({ at: '5s', partition: { shape: 'ring' } }),
      timeline({ at: '5s', partition: { on: 'leader', from: 'n2' } }),
      timeline({ at: '5s', for: '1s', disk: { on: 'leader', hang: true } }),
      timeline({ at: '5s', disk: { on: 'n1', latency: '5ms..90ms' } }),
      timeline({ at: '5s', for: '1s', disk: { on: 'all', full: true } }),
      timeline({ at: '5s', for: '1s', disk: { on: 'all', full: '64KiB' } }),
      timeline({ at: '5s', disk: { on: 'n1', rot: 'hard-state', places: 3 } }),
      timeline({ at: '5s', for: '1s', every: '3s', times: 100, crash: { on: 'all', power: true } }),
      timeline({ at: '5s', for: '1s', wipe: 'leader' }),
      timeline({ at: '5s', membership: { add: ['n4'], remove: 'leader', replace: { n1: 'n5' } } }),
      { duration: '1m', cluster: { snapshots: { chunk: '512B' } }, expect: { 'disk-at-most': '1MiB' } },
    ];
    const wrong: object[] = [
      {},
      { duration: 30 },
      { duration: '30' },
      { duration: '30s', unknown: 1 },
      { duration: '30s', cluster: { replicas: 0 } },
      { duration: '30s', network: { loss: '0.05' } },
      timeline({ at: '5s', partition: 'leadr' }),
      timeline({ at: '5s', partition: ['n1', 'leader'] }),
      timeline({ at: '5s', partition: { shape: 'star' } }),
      timeline({ at: '5s', disk: 'leader' }),
      timeline({ at: '5s', disk: { on: 'leader', full: 64 } }),
      timeline({ at: '5s', disk: { on: 'leader', rot: 'lock' } }),
      timeline({ pause: 'n1' }),
      timeline({ at: '5s', membership: { add: 'leader' } }),
      timeline({ at: '5s', membership: { replace: { n1: 'leader' } } }),
      { duration: '1m', expect: { 'disk-at-most': '1 MB' } },
      timeline({ at: '5s', pause: 'n1', unknown: 1 }),
    ];
    const scenarios = new URL('../../../scenarios/', import.meta.url);
    for (const name of readdirSync(scenarios))
      right.push(parse(readFileSync(new URL(name, scenarios), 'utf8')));
    for (const value of right) expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(true);
    for (const value of wrong) expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(false);
  });
});
