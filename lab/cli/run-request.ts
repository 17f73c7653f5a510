import { didYouMean } from '../scenario/did-you-mean.ts';
import { ScenarioError } from '../scenario/mistakes.ts';
import { parseScenario } from '../scenario/parse.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { FileRefused, type Machine, type PreparedFile } from './machine.ts';

/** What was written after `kontiki run`, unchecked. */
export interface RunArguments {
  /** Files, and whatever else is no known option. */
  readonly words: readonly string[];
  readonly seed: string | undefined;
  readonly runs: string | undefined;
  readonly json: string | undefined;
}

export interface RunRequest {
  readonly scenarios: readonly Scenario[];
  /** Consecutive, at least one. */
  readonly seeds: readonly number[];
  readonly json: PreparedFile | null;
}

export const SEED_DEFAULT = 1;
const SEED_MAX = 2 ** 32 - 1;
const RUNS_MAX = 1_000_000;
const OPTIONS = ['--seed', '--runs', '--json', '--help'];

/** Checks everything before anything runs, and tells all mistakes at once, a line each. */
export function readRunRequest(
  { words, seed, runs, json }: RunArguments,
  machine: Machine,
): { ok: true; request: RunRequest } | { ok: false; mistakes: readonly string[] } {
  const mistakes: string[] = [];
  const first = wholeNumber('--seed', seed ?? String(SEED_DEFAULT), 0, SEED_MAX, mistakes);
  const count = wholeNumber('--runs', runs ?? '1', 1, RUNS_MAX, mistakes);
  if (first !== null && count !== null && first + count - 1 > SEED_MAX) {
    mistakes.push(`--runs: found ${count} from seed ${first}, expected a last seed of at most ${SEED_MAX}`);
  }

  const scenarios: Scenario[] = [];
  for (const [position, word] of words.entries()) {
    if (isOption(word)) {
      mistakes.push(unknownOption(word));
      continue;
    }
    const wrong = loadScenario(word, machine, scenarios);
    // The 7 of `--sed 7` is no file, and the option it belongs to has been complained about already.
    const before = words[position - 1];
    const isValue = before !== undefined && isOption(before) && !before.includes('=') && /^\d+$/.test(word);
    if (!isValue) mistakes.push(...wrong);
  }
  if (words.length === 0)
    mistakes.push('found no scenario file, expected at least one, such as scenarios/baseline.yaml');

  const prepared = json === undefined ? null : prepare(json, words, machine, mistakes);
  if (mistakes.length > 0 || first === null || count === null) {
    prepared?.abandon();
    return { ok: false, mistakes };
  }
  const seeds = Array.from({ length: count }, (_, i) => first + i);
  return { ok: true, request: { scenarios, seeds, json: prepared } };
}

function wholeNumber(
  option: string,
  found: string,
  from: number,
  to: number,
  mistakes: string[],
): number | null {
  const value = /^\d{1,16}$/.test(found) ? Number(found) : Number.NaN;
  if (value >= from && value <= to) return value;
  mistakes.push(`${option}: found ${JSON.stringify(found)}, expected a whole number from ${from} to ${to}`);
  return null;
}

function isOption(word: string): boolean {
  return word.startsWith('-') && word !== '-';
}

function unknownOption(word: string): string {
  const name = word.split('=')[0] ?? word;
  const meant = didYouMean(name, OPTIONS);
  const hint = meant === null ? '' : `; did you mean ${meant}?`;
  return `found the unknown option ${name}, expected one of ${OPTIONS.join(', ')}${hint}`;
}

/** Adds the scenario to the list, or returns what is wrong with it. */
function loadScenario(file: string, machine: Machine, into: Scenario[]): string[] {
  try {
    into.push(parseScenario({ text: machine.readText(file), file }));
    return [];
  } catch (error) {
    if (error instanceof ScenarioError) return error.message.split('\n');
    if (error instanceof FileRefused) return [error.message];
    throw error;
  }
}

function prepare(
  path: string,
  scenarios: readonly string[],
  machine: Machine,
  mistakes: string[],
): PreparedFile | null {
  if (scenarios.includes(path)) {
    mistakes.push(
      `--json ${path}: found a scenario to run, expected another file, since this one is overwritten`,
    );
    return null;
  }
  try {
    return machine.prepareFile(path);
  } catch (error) {
    if (!(error instanceof FileRefused)) throw error;
    mistakes.push(`--json ${error.message}`);
    return null;
  }
}
