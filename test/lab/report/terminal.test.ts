import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { formatAggregate } from '../../../lab/report/aggregate.ts';
import { style } from '../../../lab/report/style.ts';
import { formatVerdict } from '../../../lab/report/terminal.ts';
import { passedRun, violatedRun } from './run-results.ts';

const plain = style(false);

describe('the verdict on one run', () => {
  it('that passed', async () => {
    await expect(formatVerdict(passedRun(), plain)).toMatchFileSnapshot('golden/passed.txt');
  });

  it('that found a violation gives it in one sentence, with the last steps before it', async () => {
    await expect(formatVerdict(violatedRun(), plain)).toMatchFileSnapshot('golden/violated.txt');
  });

  it('without faults, leaders or a trace says so', async () => {
    const bare = violatedRun({
      injections: [],
      leaders: [],
      trace: [],
      violation: { checker: 'unavailability', sentence: 'Nobody was ever elected.', atMs: 30_000 },
    });
    await expect(formatVerdict(bare, plain)).toMatchFileSnapshot('golden/bare.txt');
  });

  it('cuts a long list in the middle and says how much', () => {
    const leaders = Array.from({ length: 100 }, (_, i) => ({ atMs: i * 1000, replica: 'n1', term: i + 1 }));
    const text = formatVerdict(passedRun({ leaders }), plain);
    expect(text).toContain('in term 12\n');
    expect(text).not.toContain('in term 13\n');
    expect(text).toContain('... 76 more ...');
    expect(text).not.toContain('in term 88\n');
    expect(text).toContain('in term 89\n');
  });

  it('in colour has the same words', () => {
    for (const run of [passedRun(), violatedRun()]) {
      const coloured = formatVerdict(run, style(true));
      expect(coloured).not.toBe(formatVerdict(run, plain));
      expect(stripVTControlCharacters(coloured)).toBe(formatVerdict(run, plain));
    }
  });

  it.each([
    ['scenarios/a.yaml', 'kontiki run scenarios/a.yaml --seed 7'],
    ['my cases/a.yaml', "kontiki run 'my cases/a.yaml' --seed 7"],
    ["it's.yaml", "kontiki run 'it'\\''s.yaml' --seed 7"],
    ['-a.yaml', 'kontiki run ./-a.yaml --seed 7'],
    ['$(x).yaml', "kontiki run '$(x).yaml' --seed 7"],
  ])('of %s is replayed by %s', (file, command) => {
    expect(formatVerdict(passedRun({ file }), plain)).toContain(`${command}\n`);
  });
});

describe('the verdict on many runs', () => {
  const runs = Array.from({ length: 200 }, (_, i) =>
    passedRun({ seed: i + 1, longestUnavailableMs: 900 + ((i * 37) % 200), wallMs: 300 }),
  );

  it('that all passed', async () => {
    await expect(formatAggregate(runs, plain)).toMatchFileSnapshot('golden/aggregate-passed.txt');
  });

  it('of which some did not gives the first violation in full', async () => {
    const mixed = runs.map((run) =>
      run.seed % 16 === 0 ? violatedRun({ ...run, ...broken(run.seed) }) : run,
    );
    await expect(formatAggregate(mixed, plain)).toMatchFileSnapshot('golden/aggregate-violated.txt');
  });

  it('that took no time at all has no speed', () => {
    const instant = runs.slice(0, 2).map((run) => ({ ...run, wallMs: 0 }));
    expect(formatAggregate(instant, plain)).toContain('131 s of virtual time in 0 ms\n');
  });

  it('of which there are none is empty', () => {
    expect(formatAggregate([], plain)).toBe('');
  });

  function broken(seed: number) {
    const { verdict, violation, checkers, trace } = violatedRun({ seed });
    return { verdict, violation, checkers, trace };
  }
});
