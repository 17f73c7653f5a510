import { describe, expect, test } from 'vitest';
import { fillsEnd } from '../../src/node/hole-filling.ts';
import { emptyConfiguration } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/entry.ts';
import type { LogHole } from '../../src/storage/contract.ts';

/** Entries 5 to 8 are missing, 4 has term 2, and 9 has term 5. */
const hole: LogHole = { from: 5, to: 8, anchor: { index: 9, term: 5 } };
/** As `hole`, but 8 is the end of the log. */
const end: LogHole = { from: 5, to: 8, anchor: { index: 8, term: 5 } };
const around = { termBefore: 2, clusterId: 'c' };
/** `5/2 6/3`: noops of these indexes and terms. */
const entriesOf = (text: string): Entry[] =>
  text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [index, term] = word.split('/').map(Number);
      return { kind: 'noop', index: index ?? 0, term: term ?? 0 };
    });

describe('the end of a hole', () => {
  test.each<[string, LogHole, string, boolean]>([
    ['all of it', hole, '5/2 6/3 7/3 8/5', true],
    ['a part of it', hole, '7/3 8/4', true],
    ['the last alone', hole, '8/2', true],
    ['none', hole, '', false],
    ['not its end', hole, '5/2 6/3 7/3', false],
    ['more than it', hole, '7/3 8/4 9/5', false],
    ['entries before it', hole, '4/2 5/2 6/2 7/2 8/2', false],
    ['a gap', hole, '6/3 8/3', false],
    ['an entry twice', hole, '7/3 7/3 8/3', false],
    ['terms that fall', hole, '6/4 7/3 8/4', false],
    ['a term beyond the anchor', hole, '7/3 8/6', false],
    ['a term below the one before the hole', hole, '5/1 6/3 7/3 8/5', false],
    ['a term that is no number', hole, '7/x 8/3', false],
    ['half a term', hole, '7/2.5 8/3', false],
    ['an index that is no number', hole, 'x/3 8/3', false],
    ['the anchor, the last of the log', end, '7/3 8/5', true],
    ['the anchor with a lower term', end, '7/3 8/4', false],
    ['the anchor with a higher term', end, '7/3 8/6', false],
  ])('is filled with %s: %s', (_what, where, text, fills) => {
    expect(fillsEnd(where, entriesOf(text), around)).toBe(fills);
  });

  test('is not filled with a configuration of another cluster', () => {
    const configuration = (clusterId: string): Entry[] => [
      { kind: 'configuration', index: 8, term: 3, clusterId, configuration: emptyConfiguration },
    ];
    expect(fillsEnd(hole, configuration('c'), around)).toBe(true);
    expect(fillsEnd(hole, configuration('d'), around)).toBe(false);
  });
});
