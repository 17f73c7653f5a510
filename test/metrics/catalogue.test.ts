import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type MetricDefinition, metricCatalogue } from '../../src/metrics/catalogue.ts';
import { bucketBounds } from '../../src/metrics/histogram.ts';

const page = new URL('../../docs/metrics.md', import.meta.url);
const all: [string, MetricDefinition][] = Object.entries(metricCatalogue);

/** A metric as the page's tables show it. */
function row(name: string, { kind, unit, labels = [], sometimes, help }: MetricDefinition): string {
  const told = labels.map((label) => `\`${label}\``).join(', ');
  return `| \`${name}\` | ${kind} | ${unit} | ${told} | ${help}${sometimes ? ' Not always there.' : ''} |`;
}

describe('the catalogue', () => {
  it('is what docs/metrics.md shows, row by row, in its order', async () => {
    const shown = (await readFile(page, 'utf8'))
      .split('\n')
      .filter((line) => /^\| `\w+` \| (counter|gauge|histogram) \|/.test(line));
    expect(shown).toEqual(all.map(([name, definition]) => row(name, definition)));
  });

  it('has every metric that the page speaks of', async () => {
    const named = (await readFile(page, 'utf8')).match(/\b(raft|storage|transport)_[a-z_]+/g) ?? [];
    expect(named.filter((name) => !(name in metricCatalogue))).toEqual([]);
  });

  it('has its buckets told there too', async () => {
    expect((await readFile(page, 'utf8')).replaceAll('\n', ' ')).toContain(bucketBounds.join(', '));
  });

  it.each(all)('%s keeps to the conventions of Prometheus', (name, { kind, unit, labels = [], help }) => {
    expect(name).toMatch(/^(raft|storage|transport)(_[a-z]+)+$/);
    // The name that the rest of the world knows it by.
    if (name !== 'raft_leader_changes') expect(name.endsWith('_total')).toBe(kind === 'counter');
    if (unit === 'seconds') expect(name).toMatch(/_seconds$/);
    if (unit === 'bytes') expect(name).toMatch(/_bytes(_total)?$/);
    if (kind === 'histogram') expect([unit, labels]).toEqual(['seconds', []]);
    for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
    // These belong to the node and to the histogram.
    for (const reserved of ['replica', 'group', 'le']) expect(labels).not.toContain(reserved);
    expect(help).toMatch(/^[A-Z].*\.$/);
    expect(help).not.toMatch(/[|\n]/);
  });
});
