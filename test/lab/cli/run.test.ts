import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Runner, runCommand } from '../../../lab/cli/run.ts';
import type { RunArguments } from '../../../lab/cli/run-request.ts';
import type { RunResult } from '../../../lab/report/run-result.ts';
import { passedRun, violatedRun } from '../report/run-results.ts';
import { type TestMachine, temporaryFolder, testMachine } from './test-machine.ts';

/** Finishes at once; seeds in `broken` are violated. */
function runnerWith(broken: readonly number[] = []): { runner: Runner; ran: string[] } {
  const ran: string[] = [];
  const runner: Runner = async (scenario, { seed }) => {
    ran.push(`${scenario.name}#${seed}`);
    const make = broken.includes(seed) ? violatedRun : passedRun;
    return make({ scenario: scenario.name, file: scenario.file, seed });
  };
  return { runner, ran };
}

function files(): { one: string; two: string; folder: string } {
  const folder = temporaryFolder();
  const write = (name: string): string => {
    const path = join(folder, name);
    writeFileSync(path, 'duration: 5s\n');
    return path;
  };
  return { folder, one: write('one.yaml'), two: write('two.yaml') };
}

const written = (words: string[], options: Partial<RunArguments> = {}): RunArguments => ({
  words,
  seed: undefined,
  runs: undefined,
  json: undefined,
  ...options,
});
const printed = (machine: TestMachine): string => machine.printed.join('');
const complained = (machine: TestMachine): string => machine.complained.join('');

describe('kontiki run', () => {
  it('runs each file with seed 1, gives a verdict for each, and ends with 0 when all hold', async () => {
    const { one, two } = files();
    const machine = testMachine();
    const { runner, ran } = runnerWith();
    expect(await runCommand(written([one, two]), machine, runner)).toBe(0);
    expect(ran).toEqual(['one#1', 'two#1']);
    const titles = printed(machine).match(/^PASSED.*$/gm);
    expect(titles).toEqual(['PASSED  one  seed 1', 'PASSED  two  seed 1', 'PASSED  all 2 scenarios']);
  });

  it('ends with 1 on a violation, after running everything else', async () => {
    const { one, two } = files();
    const machine = testMachine();
    const { runner, ran } = runnerWith([3]);
    expect(await runCommand(written([one, two], { seed: '2', runs: '3' }), machine, runner)).toBe(1);
    expect(ran).toEqual(['one#2', 'one#3', 'one#4', 'two#2', 'two#3', 'two#4']);
    expect(printed(machine)).toContain(
      'VIOLATED  one  3 seeds, 2 to 4\n  held                 2 of 3 seeds\n',
    );
    expect(printed(machine)).toContain(`kontiki run ${one} --seed 3\n`);
    expect(printed(machine)).toMatch(/\nVIOLATED {2}2 of 2 scenarios: one, two\n$/);
  });

  it('of one scenario has no summary', async () => {
    const machine = testMachine();
    await runCommand(written([files().one]), machine, runnerWith().runner);
    expect(printed(machine)).not.toContain('scenarios\n');
  });

  it('writes the results as JSON, the same bytes each time', async () => {
    const { folder, one } = files();
    const json = join(folder, 'results.json');
    const texts: string[] = [];
    for (const wallMs of [1, 1000]) {
      const runner: Runner = async (_, { seed }) => passedRun({ seed, wallMs });
      expect(await runCommand(written([one], { runs: '3', json }), testMachine(), runner)).toBe(0);
      texts.push(readFileSync(json, 'utf8'));
    }
    expect(texts[1]).toBe(texts[0]);
    const read: { version: number; results: RunResult[] } = JSON.parse(texts[0] ?? '');
    expect(read.version).toBe(1);
    expect(read.results.map((result) => result.seed)).toEqual([1, 2, 3]);
    expect(readdirSync(folder).sort()).toEqual(['one.yaml', 'results.json', 'two.yaml']);
  });

  it('says where it stands now and then where there is no terminal', async () => {
    const machine = testMachine();
    const runner: Runner = async (scenario, { seed, onProgress }) => {
      for (let virtualMs = 0; virtualMs < 60_000; virtualMs += 100) {
        machine.nowMs += 40;
        onProgress?.({ virtualMs, operations: virtualMs / 10 });
      }
      return passedRun({ scenario: scenario.name, file: scenario.file, seed });
    };
    await runCommand(written([files().one], { seed: '5', runs: '2' }), machine, runner);
    expect(machine.complained).toEqual([
      'running one, seed 5, 2 seeds\n',
      'running one, seed 5 (1 of 2): 24.900 s of virtual time, 2,490 operations\n',
      'running one, seed 5 (1 of 2): 49.900 s of virtual time, 4,990 operations\n',
      'running one, seed 6 (2 of 2): 14.900 s of virtual time, 1,490 operations\n',
      'running one, seed 6 (2 of 2): 39.900 s of virtual time, 3,990 operations\n',
    ]);
  });

  it('draws one line over and over on a terminal, never wider than it, and clears it for the verdict', async () => {
    const machine = testMachine({ liveColumns: 40 });
    const runner: Runner = async (scenario, { seed, onProgress }) => {
      for (let step = 1; step <= 1000; step++) {
        machine.nowMs += 1;
        onProgress?.({ virtualMs: step * 100, operations: step });
      }
      return passedRun({ scenario: scenario.name, file: scenario.file, seed });
    };
    await runCommand(written([files().one]), machine, runner);
    expect(machine.complained).toHaveLength(12);
    expect(machine.complained[1]).toBe('\r\x1b[Krunning one, seed 1: 10.000 s of virtua');
    expect(machine.complained.at(-1)).toBe('\r\x1b[K');
    for (const text of machine.complained) expect(text).not.toContain('\n');
  });
});

describe('kontiki run, badly asked', () => {
  it('tells every mistake at once, in files and options alike, and runs nothing', async () => {
    const { folder, one } = files();
    const wrong = join(folder, 'wrong.yaml');
    writeFileSync(wrong, 'duration: 5\nnam: x\n');
    const binary = join(folder, 'binary.yaml');
    writeFileSync(binary, new Uint8Array([0xff, 0xfe, 0x00]));
    const machine = testMachine();
    const { runner, ran } = runnerWith();
    const words = ['--sede', '3', one, wrong, join(folder, 'none.yaml'), folder, binary];
    const options = { seed: 'x', runs: '0', json: join(folder, 'none', 'x.json') };
    expect(await runCommand(written(words, options), machine, runner)).toBe(2);
    expect(complained(machine).replaceAll(folder, 'DIR').split('\n')).toEqual([
      '--seed: found "x", expected a whole number from 0 to 4294967295',
      '--runs: found "0", expected a whole number from 1 to 1000000',
      'found the unknown option --sede, expected one of --seed, --runs, --json, --help; did you mean --seed?',
      'DIR/wrong.yaml:1:11: duration: found 5, expected a unit after the number: 5ms, 5s or 5m',
      'DIR/wrong.yaml:2:1: found the unknown key "nam", expected one of name, description, cluster, network, disk, workload, duration, timeline, expect; did you mean name?',
      'DIR/none.yaml: there is no such file',
      'DIR: found a folder, expected a file; name the files in it, for example with *.yaml',
      'DIR/binary.yaml: found bytes that are no UTF-8 text, expected a scenario in YAML',
      '--json DIR/none/x.json: there is no folder DIR/none; make it first',
      'Nothing was run. `kontiki run --help` shows how.',
      '',
    ]);
    expect(ran).toEqual([]);
    expect(printed(machine)).toBe('');
  });

  it.each<[string, Partial<RunArguments>, string]>([
    ['a negative seed', { seed: '-1' }, '--seed: found "-1", expected a whole number from 0 to 4294967295'],
    [
      'a seed too large',
      { seed: '4294967296' },
      '--seed: found "4294967296", expected a whole number from 0 to 4294967295',
    ],
    ['an empty seed', { seed: '' }, '--seed: found "", expected a whole number from 0 to 4294967295'],
    ['a seed in hex', { seed: '0x10' }, '--seed: found "0x10", expected a whole number from 0 to 4294967295'],
    ['half a run', { runs: '1.5' }, '--runs: found "1.5", expected a whole number from 1 to 1000000'],
    [
      'too many runs',
      { runs: '1000001' },
      '--runs: found "1000001", expected a whole number from 1 to 1000000',
    ],
    [
      'seeds that run out',
      { seed: '4294967295', runs: '2' },
      '--runs: found 2 from seed 4294967295, expected a last seed of at most 4294967295',
    ],
  ])('refuses %s', async (_, options, message) => {
    const machine = testMachine();
    expect(await runCommand(written([files().one], options), machine, runnerWith().runner)).toBe(2);
    expect(complained(machine).split('\n')[0]).toBe(message);
  });

  it('takes the very last seed', async () => {
    const { runner, ran } = runnerWith();
    expect(
      await runCommand(written([files().one], { seed: '4294967294', runs: '2' }), testMachine(), runner),
    ).toBe(0);
    expect(ran).toEqual(['one#4294967294', 'one#4294967295']);
  });

  it('wants a file', async () => {
    const machine = testMachine();
    expect(await runCommand(written([]), machine, runnerWith().runner)).toBe(2);
    expect(complained(machine)).toContain('found no scenario file, expected at least one');
  });

  it('does not write its results over a folder or a scenario, and leaves nothing lying about', async () => {
    const { folder, one } = files();
    mkdirSync(join(folder, 'results'));
    for (const json of [join(folder, 'results'), one]) {
      const { runner, ran } = runnerWith();
      expect(await runCommand(written([one], { json }), testMachine(), runner)).toBe(2);
      expect(ran).toEqual([]);
    }
    const good = join(folder, 'good.json');
    expect(
      await runCommand(written([one], { json: good, runs: 'x' }), testMachine(), runnerWith().runner),
    ).toBe(2);
    expect(readdirSync(folder).sort()).toEqual(['one.yaml', 'results', 'two.yaml']);
    expect(readFileSync(one, 'utf8')).toBe('duration: 5s\n');
  });
});

describe('kontiki run, cut short', () => {
  it('by Ctrl-C prints what is finished, writes no JSON, and ends with 130', async () => {
    const { folder, one, two } = files();
    const json = join(folder, 'results.json');
    writeFileSync(json, 'of last time');
    const machine = testMachine();
    const { runner, ran } = runnerWith();
    const stoppedAt: Runner = (scenario, options) => {
      if (scenario.name === 'one' || options.seed < 3) return runner(scenario, options);
      machine.interrupt();
      expect(options.signal?.aborted).toBe(true);
      return new Promise(() => {});
    };
    expect(await runCommand(written([one, two], { runs: '5', json }), machine, stoppedAt)).toBe(130);
    expect(ran).toHaveLength(7);
    expect(printed(machine)).toContain('PASSED  one  5 seeds, 1 to 5\n');
    expect(printed(machine)).toContain('PASSED  two  2 seeds, 1 to 2\n');
    expect(complained(machine)).toMatch(
      /\nInterrupted after 7 of 10 runs\. The JSON file was not written\.\n$/,
    );
    expect(readFileSync(json, 'utf8')).toBe('of last time');
    expect(readdirSync(folder).sort()).toEqual(['one.yaml', 'results.json', 'two.yaml']);
    expect(machine.listening()).toBe(false);
  });

  it('by a runner that minds the signal is no failure of the lab', async () => {
    const machine = testMachine();
    const runner: Runner = async (_, { signal }) => {
      machine.interrupt();
      signal?.throwIfAborted();
      return passedRun();
    };
    expect(await runCommand(written([files().one]), machine, runner)).toBe(130);
    expect(complained(machine)).toMatch(/Interrupted after 0 of 1 runs\.\n$/);
    expect(printed(machine)).toBe('');
  });

  it('by an error in the lab says so, with the seed, ends with 3, and gives no verdict', async () => {
    const { folder, one, two } = files();
    const json = join(folder, 'results.json');
    const machine = testMachine();
    const runner: Runner = async (scenario) => {
      if (scenario.name === 'two') throw new Error('the wheel came off');
      return passedRun({ scenario: scenario.name });
    };
    expect(await runCommand(written([one, two], { json, seed: '9' }), machine, runner)).toBe(3);
    expect(printed(machine)).toContain('PASSED  one');
    expect(complained(machine)).toContain(
      'The lab itself failed while running two with seed 9, so there is no verdict:\n',
    );
    expect(complained(machine)).toContain('the wheel came off');
    expect(complained(machine)).toContain(`To see it again: kontiki run ${two} --seed 9\n`);
    expect(existsSync(json)).toBe(false);
  });
});
