import { expect, test } from 'vitest';
import { LogBounded } from '../../../lab/checkers/log-bounded.ts';
import { sentence } from './sentence.ts';
import { floorAt, noop, type Stream } from './stream.ts';

const entries = (from: number, to: number): ReturnType<typeof noop>[] =>
  Array.from({ length: to - from + 1 }, (_, at) => noop(from + at, 1));
const found = (tell: (stream: Stream) => Stream, bytes = 0): string | null =>
  sentence(new LogBounded({ entriesMax: 10, bytesMax: 1000, diskBytes: () => bytes }), tell);

test('a log of as many entries as allowed passes, and of one more does not', () => {
  const grown = (to: number): string | null =>
    found((stream) =>
      stream
        .opened('n1')
        .wrote('n1', { entries: entries(1, to) })
        .step('n1', { term: 1 }),
    );
  expect(grown(10)).toBe(null);
  expect(grown(11)).toBe('the log of n1 has 11 entries, from 1 to 11; at most 10 were allowed');
});

test('what a snapshot covers no longer counts, also after a restart', () => {
  const compacted = (stream: Stream): Stream =>
    stream
      .opened('n1')
      .wrote('n1', { entries: entries(1, 10) })
      .wrote('n1', { floor: floorAt(8, 1) })
      .wrote('n1', { entries: entries(11, 18) })
      .step('n1', { term: 1 });
  expect(found(compacted)).toBe(null);
  expect(
    found((stream) =>
      compacted(stream)
        .wrote('n1', { entries: [noop(19, 1)] })
        .step('n1', { term: 1 }),
    ),
  ).toBe('the log of n1 has 11 entries, from 9 to 19; at most 10 were allowed');
  const restarted = (count: number): string | null =>
    found((stream) =>
      stream
        .opened('n1', { floor: floorAt(8, 1), log: Array.from({ length: count }, () => 1) })
        .step('n1', { term: 1 }),
    );
  expect(restarted(10)).toBe(null);
  expect(restarted(11)).toMatch(/has 11 entries, from 9 to 19/);
});

test('a disk is looked at when its log is compacted, and at the end', () => {
  const full = 'the disk of n1 holds 1001 bytes; at most 1000 were allowed';
  expect(found((stream) => stream.opened('n1').compacted('n1', 1), 1001)).toBe(full);
  expect(found((stream) => stream.opened('n1').finish(), 1001)).toBe(full);
  expect(found((stream) => stream.opened('n1').compacted('n1', 1).finish(), 1000)).toBe(null);
});
