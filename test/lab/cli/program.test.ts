import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runProgram } from '../../../lab/cli/program.ts';
import type { Runner } from '../../../lab/cli/run.ts';
import { scenarioJsonSchema } from '../../../lab/scenario/json-schema.ts';
import { passedRun } from '../report/run-results.ts';
import { temporaryFolder, testMachine } from './test-machine.ts';

async function kontiki(
  ...words: string[]
): Promise<{ code: number; out: string; err: string; seeds: number[] }> {
  const machine = testMachine();
  const seeds: number[] = [];
  const runner: Runner = async (scenario, { seed }) => {
    seeds.push(seed);
    return passedRun({ scenario: scenario.name, file: scenario.file, seed });
  };
  const code = await runProgram(words, machine, async () => runner);
  return { code, out: machine.printed.join(''), err: machine.complained.join(''), seeds };
}

function scenarioFile(name = 'one.yaml'): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, 'duration: 5s\n');
  return path;
}

describe('the command line', () => {
  it.each([[['--help']], [['-h']], [['run', '--help']], [['schema', '--help']], [['--version']]])(
    '%j is answered on the standard output, with 0',
    async (words) => {
      const { code, out, err } = await kontiki(...words);
      expect(code).toBe(0);
      expect(out).not.toBe('');
      expect(err).toBe('');
    },
  );

  it('tells the version of the package', async () => {
    const manifest: { version: string } = JSON.parse(
      readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
    );
    expect((await kontiki('--version')).out).toBe(`${manifest.version}\n`);
  });

  it('tells the exit codes in the help of run', async () => {
    expect((await kontiki('run', '--help')).out).toContain('Exit code: 0 all held, 1 violation, 2 bad input');
  });

  it.each([
    [[], 'Usage: kontiki'],
    [['walk'], "unknown command 'walk'"],
    [['--sed'], "unknown option '--sed'"],
    [['run'], 'found no scenario file'],
    [['run', '--json'], "option '--json <file>' argument missing"],
    [['schema', 'extra'], 'too many arguments'],
  ])('%j is refused with 2', async (words, message) => {
    const { code, out, err } = await kontiki(...words);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(out).toBe('');
  });

  it('hands options over wherever they stand', async () => {
    const file = scenarioFile();
    for (const words of [
      ['run', file, '--seed', '7', '--runs', '2'],
      ['run', '--seed=7', '--runs=2', file],
      ['run', '--runs', '2', file, '--seed', '7'],
    ]) {
      const { code, seeds } = await kontiki(...words);
      expect(code).toBe(0);
      expect(seeds).toEqual([7, 8]);
    }
  });

  it('reports an unknown option together with what else is wrong', async () => {
    const { code, err } = await kontiki('run', scenarioFile(), '--turbo', '--run', '3', '--seed', '-4');
    expect(code).toBe(2);
    expect(err.split('\n')).toEqual([
      '--seed: found "-4", expected a whole number from 0 to 4294967295',
      'found the unknown option --turbo, expected one of --seed, --runs, --json, --help',
      'found the unknown option --run, expected one of --seed, --runs, --json, --help; did you mean --runs?',
      'Nothing was run. `kontiki run --help` shows how.',
      '',
    ]);
  });

  it('reads what follows -- as files', async () => {
    expect((await kontiki('run', '--', scenarioFile())).code).toBe(0);
  });

  it('prints the JSON Schema', async () => {
    expect(await kontiki('schema')).toMatchObject({ code: 0, out: scenarioJsonSchema(), err: '' });
  });
});
