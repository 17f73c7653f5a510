import { formatCount, formatCounted, formatMoment, formatWall } from './quantities.ts';
import { replayCommand } from './replay.ts';
import type { Injection, RunResult } from './run-result.ts';
import type { Style } from './style.ts';

/** More lines than this of one kind are a list nobody reads; the middle goes, and says so. */
const LINES_MAX = 24;

/** The verdict on one run, for a human at a terminal; ends with a newline. */
export function formatVerdict(result: RunResult, style: Style): string {
  const passed = result.verdict === 'passed';
  const title = passed ? style.good('PASSED') : style.bad('VIOLATED');
  return [
    `${title}  ${style.strong(result.scenario)}  seed ${result.seed}`,
    ...formatViolation(result, style),
    ...(result.shown === null ? [] : row('shown', [result.shown], style)),
    ...row(
      'injected',
      result.injections.length === 0 ? ['nothing'] : injectionLines(result.injections),
      style,
    ),
    ...row('leaders', leaderLines(result.leaders), style),
    ...row('operations', [operationsLine(result.operations)], style),
    ...row('longest unavailable', [formatMoment(result.longestUnavailableMs)], style),
    ...row('checkers', [checkersLine(result)], style),
    ...row('ran', [ranLine(result)], style),
    ...row('digest', [result.digest], style),
    ...row('replay', [replayCommand(result)], style),
    '',
  ].join('\n');
}

/** The violation in one sentence, what it breaks, and the last steps before it; nothing when passed. */
function formatViolation(result: RunResult, style: Style): string[] {
  const { violation, trace } = result;
  if (violation === null) return [];
  const property = result.checkers.find((checker) => checker.name === violation.checker)?.property;
  const steps = trace.length === 0 ? ['none were recorded'] : trace;
  return [
    ...row('violation', [style.bad(violation.sentence)], style),
    ...row('found by', [`${violation.checker}, at ${formatMoment(violation.atMs)}`], style),
    ...(property === undefined ? [] : row('must hold', [property], style)),
    ...row('last steps', steps, style),
  ];
}

export function operationsLine(operations: RunResult['operations']): string {
  const { attempted, acknowledged, failed, unknown } = operations;
  return (
    `${formatCount(attempted)} attempted: ${formatCount(acknowledged)} acknowledged, ` +
    `${formatCount(failed)} failed, ${formatCount(unknown)} of unknown outcome`
  );
}

/** A label and its lines, the first beside it and the others below. */
export function row(label: string, lines: readonly string[], style: Style): string[] {
  const padded = label.padEnd(LABEL_WIDTH);
  return lines.map((line, i) => `  ${i === 0 ? style.faint(padded) : ' '.repeat(LABEL_WIDTH)}  ${line}`);
}

const LABEL_WIDTH = 'longest unavailable'.length;

function injectionLines(injections: readonly Injection[]): string[] {
  return middleCut(
    injections.map((injection) => {
      const { atMs, healedAtMs, what } = injection;
      const until = healedAtMs === null ? '' : ` to ${formatMoment(healedAtMs)}`;
      return `${formatMoment(atMs)}${until}  ${what}${unnamed(injection)}`;
    }),
  );
}

/** Whom it struck, unless the phrase has said so already. */
function unnamed({ what, on }: Injection): string {
  const words = what.split(/[^\w.-]+/);
  if (on.length > 0 && on.every((id) => words.includes(id))) return '';
  return `  (on ${on.length === 0 ? 'nobody' : on.join(', ')})`;
}

function leaderLines(leaders: RunResult['leaders']): string[] {
  if (leaders.length === 0) return ['none was elected'];
  return middleCut(
    leaders.map(({ atMs, replica, term }) => `${formatMoment(atMs)}  ${replica} in term ${term}`),
  );
}

function checkersLine(result: RunResult): string {
  const passed = result.checkers.filter((checker) => checker.passed).length;
  const broken = result.checkers.filter((checker) => !checker.passed).map((checker) => checker.name);
  if (broken.length === 0) return `${formatCounted(passed, 'checker')} passed`;
  return `${formatCounted(passed, 'checker')} passed, not ${broken.join(', ')}`;
}

function ranLine(result: RunResult): string {
  return (
    `${formatMoment(result.virtualMs)} of virtual time, ${formatCounted(result.events, 'event')}, ` +
    `in ${formatWall(result.wallMs)}`
  );
}

function middleCut(lines: string[]): string[] {
  if (lines.length <= LINES_MAX) return lines;
  const kept = LINES_MAX / 2;
  return [...lines.slice(0, kept), `... ${lines.length - 2 * kept} more ...`, ...lines.slice(-kept)];
}
