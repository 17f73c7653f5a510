import { formatAggregate } from '../report/aggregate.ts';
import { formatResultsJson } from '../report/json.ts';
import { formatCount, formatMoment } from '../report/quantities.ts';
import { replayCommand } from '../report/replay.ts';
import type { RunResult } from '../report/run-result.ts';
import { type Style, style } from '../report/style.ts';
import { formatVerdict } from '../report/terminal.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { type ExitCode, exitCode } from './exit-code.ts';
import { LiveLine } from './live-line.ts';
import { FileRefused, type Machine } from './machine.ts';
import { type RunArguments, type RunRequest, readRunRequest } from './run-request.ts';

/** Runs one scenario with one seed; rejects only when the lab itself fails, or when aborted. */
export type Runner = (
  scenario: Scenario,
  options: {
    readonly seed: number;
    readonly onProgress?: (progress: { readonly virtualMs: number; readonly operations: number }) => void;
    readonly signal?: AbortSignal;
  },
) => Promise<RunResult>;

/** `kontiki run`: every scenario with every seed, a verdict for each scenario, and one exit code. */
export async function runCommand(written: RunArguments, machine: Machine, runner: Runner): Promise<ExitCode> {
  const read = readRunRequest(written, machine);
  if (!read.ok) {
    machine.complain(`${read.mistakes.join('\n')}\nNothing was run. \`kontiki run --help\` shows how.\n`);
    return exitCode.badInput;
  }
  const interrupt = new AbortController();
  const stopListening = machine.onInterrupt(() => interrupt.abort());
  try {
    return await runAll(read.request, machine, runner, interrupt.signal);
  } finally {
    stopListening();
    read.request.json?.abandon();
  }
}

async function runAll(
  request: RunRequest,
  machine: Machine,
  runner: Runner,
  signal: AbortSignal,
): Promise<ExitCode> {
  const palette = style(machine.colour);
  const live = new LiveLine(machine);
  const results: RunResult[] = [];
  for (const scenario of request.scenarios) {
    const finished = await runSeeds(scenario, request.seeds, { machine, runner, live, signal });
    live.clear();
    results.push(...finished.results);
    if (finished.results.length > 0) machine.print(`${formatResults(finished.results, palette)}\n`);
    if (finished.stopped === 'interrupted') return interrupted(request, results, machine);
    if (finished.stopped !== null) {
      machine.complain(`${finished.stopped}\n`);
      return exitCode.labFailed;
    }
  }
  if (request.json) {
    try {
      request.json.commit(formatResultsJson(results));
    } catch (error) {
      if (!(error instanceof FileRefused)) throw error;
      machine.complain(`--json ${error.message}\n`);
      return exitCode.labFailed;
    }
  }
  if (request.scenarios.length > 1) machine.print(formatSummary(request, results, palette));
  return results.some((result) => result.verdict === 'violated') ? exitCode.violation : exitCode.ok;
}

/** As many seeds as finish; `stopped` says why not all, null when all did. */
async function runSeeds(
  scenario: Scenario,
  seeds: readonly number[],
  by: { machine: Machine; runner: Runner; live: LiveLine; signal: AbortSignal },
): Promise<{ results: RunResult[]; stopped: string | null }> {
  const results: RunResult[] = [];
  const aborted = whenAborted(by.signal);
  const many = seeds.length > 1 ? `, ${formatCount(seeds.length)} seeds` : '';
  by.live.begin(`running ${scenario.name}, seed ${seeds[0]}${many}`);
  for (const [position, seed] of seeds.entries()) {
    const place = seeds.length > 1 ? ` (${position + 1} of ${formatCount(seeds.length)})` : '';
    const onProgress = ({ virtualMs, operations }: { virtualMs: number; operations: number }): void =>
      by.live.update(
        () =>
          `running ${scenario.name}, seed ${seed}${place}: ${formatMoment(virtualMs)} of virtual time, ` +
          `${formatCount(operations)} operations`,
      );
    try {
      // A runner that is deep in a step does not see the signal at once; Ctrl-C should not wait for it.
      const run = by.runner(scenario, { seed, onProgress, signal: by.signal });
      const result = await Promise.race([run, aborted]);
      if (result === null || by.signal.aborted) return { results, stopped: 'interrupted' };
      results.push(result);
    } catch (error) {
      if (by.signal.aborted) return { results, stopped: 'interrupted' };
      return { results, stopped: describeFailure(scenario, seed, error) };
    }
  }
  return { results, stopped: null };
}

function whenAborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}

function describeFailure(scenario: Scenario, seed: number, error: unknown): string {
  const account = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return (
    `The lab itself failed while running ${scenario.name} with seed ${seed}, so there is no verdict:\n` +
    `${account}\nTo see it again: ${replayCommand({ file: scenario.file, seed })}`
  );
}

function formatResults(results: readonly RunResult[], palette: Style): string {
  const [only] = results;
  return only !== undefined && results.length === 1
    ? formatVerdict(only, palette)
    : formatAggregate(results, palette);
}

function interrupted(request: RunRequest, results: readonly RunResult[], machine: Machine): ExitCode {
  const all = request.scenarios.length * request.seeds.length;
  const unwritten = request.json ? ' The JSON file was not written.' : '';
  machine.complain(`Interrupted after ${results.length} of ${all} runs.${unwritten}\n`);
  return exitCode.interrupted;
}

function formatSummary(request: RunRequest, results: readonly RunResult[], palette: Style): string {
  const broken = request.scenarios.filter((scenario) =>
    results.some((result) => result.verdict === 'violated' && result.file === scenario.file),
  );
  const total = `${request.scenarios.length} scenarios`;
  return broken.length === 0
    ? `${palette.good('PASSED')}  all ${total}\n`
    : `${palette.bad('VIOLATED')}  ${broken.length} of ${total}: ${broken.map(({ name }) => name).join(', ')}\n`;
}
