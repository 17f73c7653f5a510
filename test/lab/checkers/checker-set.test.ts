import { expect, test } from 'vitest';
import { standardCheckers } from '../../../lab/checkers/all.ts';
import type { Checker, Violation } from '../../../lab/checkers/checker.ts';
import { CheckerSet } from '../../../lab/checkers/checker-set.ts';
import { History } from '../../../lab/workload/history.ts';

/** Objects to every observation, and counts how often it was asked. */
class Objector implements Checker {
  readonly property = 'nothing happens';
  asked = 0;
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  observe({ atMs }: { atMs: number }): Violation {
    this.asked += 1;
    return { checker: this.name, sentence: 'something happened', atMs };
  }
  finish(atMs: number): Violation {
    return this.observe({ atMs });
  }
}

class Content implements Checker {
  readonly name = 'content';
  readonly property = 'anything may happen';
  asked = 0;
  observe(): null {
    this.asked += 1;
    return null;
  }
  finish(): null {
    return this.observe();
  }
}

test('one that found something is not asked again, the others are', () => {
  const [first, second, content] = [new Objector('first'), new Objector('second'), new Content()];
  const set = new CheckerSet([content, first, second]);
  const crash = { atMs: 5, replica: 'n1', kind: 'crashed', power: false } as const;
  expect(set.observe(crash)).toMatchObject({ checker: 'first', atMs: 5 });
  expect(set.observe(crash)).toBe(null);
  expect(set.finish(9)).toBe(null);
  expect([first.asked, second.asked, content.asked]).toEqual([1, 1, 3]);
  expect(set.violations.map(({ checker }) => checker)).toEqual(['first', 'second']);
  expect(set.results().map(({ name, passed }) => [name, passed])).toEqual([
    ['content', true],
    ['first', false],
    ['second', false],
  ]);
});

test('the standard checkers have names of their own', () => {
  const names = standardCheckers({
    history: new History(),
    decodeCommand: () => null,
    decodeResult: null,
    digestOf: () => null,
  }).map(({ name }) => name);
  expect(new Set(names).size).toBe(14);
  for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
});
