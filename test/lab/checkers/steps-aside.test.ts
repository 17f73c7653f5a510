import { expect, test } from 'vitest';
import { StepsAside } from '../../../lab/checkers/steps-aside.ts';
import { entryBytes } from '../../../src/raft/entry.ts';
import { sentence } from './sentence.ts';
import { command, type Stream } from './stream.ts';

const ENTRY = entryBytes(command(1, 1));

/** The disks of n1 and n2 are filled first, with room for two entries aside. */
function found(tell: (stream: Stream) => Stream): string | null {
  const checker = new StepsAside(8 * ENTRY);
  checker.onStrike(['n1', 'n2']);
  return sentence(checker, tell);
}

const nearlyFull = (stream: Stream, id: string): Stream => stream.step(id, { term: 1, nearlyFull: true });
const roomy = (stream: Stream, id: string): Stream => stream.step(id, { term: 1 });

test('a replica that steps aside and comes back passes, and another need not notice', () => {
  expect(found((stream) => roomy(nearlyFull(stream.opened('n1'), 'n1'), 'n1').finish())).toBe(null);
});

test('somebody has to notice', () => {
  expect(found((stream) => roomy(stream.opened('n1'), 'n1').finish())).toBe(
    'the disk of n1, n2 was filled, and nobody stepped aside',
  );
  expect(found((stream) => roomy(nearlyFull(stream.opened('n3'), 'n3'), 'n3').finish())).toMatch(/nobody/);
});

test('whoever stepped aside has to come back', () => {
  expect(found((stream) => nearlyFull(stream.opened('n1'), 'n1').finish())).toBe(
    'n1 stepped aside, and never came back',
  );
});

test('no write of theirs may fail, and one of another replica may', () => {
  const failed = (stream: Stream, id: string): Stream => stream.opened(id).writeFailed(id);
  expect(found((stream) => failed(stream, 'n2'))).toMatch(/^a write of n2 failed/);
  expect(found((stream) => roomy(nearlyFull(failed(stream, 'n3').opened('n1'), 'n1'), 'n1').finish())).toBe(
    null,
  );
});

test('whoever stepped aside takes a quarter of the reserve and no more', () => {
  const aside = (count: number): string | null =>
    found((stream) => {
      nearlyFull(stream.opened('n1'), 'n1');
      for (let index = 1; index <= count; index += 1) stream.wrote('n1', { entries: [command(index, 1)] });
      return count === 2 ? roomy(stream, 'n1').finish() : stream;
    });
  expect(aside(2)).toBe(null);
  expect(aside(3)).toBe(`n1 wrote ${3 * ENTRY} bytes of entries since it said that its disk is nearly full`);
});
