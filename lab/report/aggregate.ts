import { formatCount, formatCounted, formatMoment, formatWall } from './quantities.ts';
import { replayCommand } from './replay.ts';
import type { RunResult } from './run-result.ts';
import type { Style } from './style.ts';
import { formatVerdict, operationsLine, row } from './terminal.ts';

/** More seeds than this are not listed one by one. */
const SEEDS_LISTED_MAX = 10;

/**
 * The verdict on one scenario over several seeds, with the first violation in full; ends with a newline.
 * The results are of one scenario, in the order they ran; none gives an empty text.
 */
export function formatAggregate(results: readonly RunResult[], style: Style): string {
  const [first] = results;
  if (first === undefined) return '';
  const violated = results.filter((result) => result.verdict === 'violated');
  const title = violated.length === 0 ? style.good('PASSED') : style.bad('VIOLATED');
  return [
    `${title}  ${style.strong(first.scenario)}  ${seedsLine(results)}`,
    ...row('held', [heldLine(results, violated)], style),
    ...(violated.length === 0 ? [] : row('violated with', [seedList(violated)], style)),
    ...row('faults', [`${rangeOf(results, (result) => result.injections.length)} a run`], style),
    ...row('leaderships', [`${rangeOf(results, (result) => result.leaders.length)} a run`], style),
    ...row('operations', [operationsLine(sumOperations(results))], style),
    ...row('longest unavailable', [unavailableLine(results)], style),
    ...row('ran', [ranLine(results)], style),
    ...row('replay the longest', [replayCommand(longestUnavailable(results, first))], style),
    ...(violated[0] === undefined
      ? []
      : ['', style.strong('The first violation:'), formatVerdict(violated[0], style)]),
    ...(violated[0] === undefined ? [''] : []),
  ].join('\n');
}

function seedsLine(results: readonly RunResult[]): string {
  const seeds = results.map((result) => result.seed);
  return `${formatCounted(seeds.length, 'seed')}, ${seeds[0]} to ${seeds.at(-1)}`;
}

function heldLine(results: readonly RunResult[], violated: readonly RunResult[]): string {
  return `${formatCount(results.length - violated.length)} of ${formatCounted(results.length, 'seed')}`;
}

function seedList(violated: readonly RunResult[]): string {
  const listed = violated.slice(0, SEEDS_LISTED_MAX).map((result) => result.seed);
  const more = violated.length - listed.length;
  return `${violated.length === 1 ? 'seed' : 'seeds'} ${listed.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function unavailableLine(results: readonly RunResult[]): string {
  const sorted = results.map((result) => result.longestUnavailableMs).sort((a, b) => a - b);
  const at = (index: number): string => formatMoment(sorted[index] ?? 0);
  return `${at(0)} to ${at(sorted.length - 1)}, median ${at(Math.floor((sorted.length - 1) / 2))}`;
}

function longestUnavailable(results: readonly RunResult[], first: RunResult): RunResult {
  return results.reduce((a, b) => (b.longestUnavailableMs > a.longestUnavailableMs ? b : a), first);
}

function ranLine(results: readonly RunResult[]): string {
  const virtualMs = total(results, (result) => result.virtualMs);
  const wallMs = total(results, (result) => result.wallMs);
  const speed = wallMs > 0 ? `, ${formatCount(Math.round(virtualMs / wallMs))} times faster than time` : '';
  return `${formatCount(Math.round(virtualMs / 1000))} s of virtual time in ${formatWall(wallMs)}${speed}`;
}

function rangeOf(results: readonly RunResult[], measure: (result: RunResult) => number): string {
  const values = results.map(measure);
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  return least === most ? String(least) : `${least} to ${most}`;
}

function sumOperations(results: readonly RunResult[]): RunResult['operations'] {
  return {
    attempted: total(results, ({ operations }) => operations.attempted),
    acknowledged: total(results, ({ operations }) => operations.acknowledged),
    failed: total(results, ({ operations }) => operations.failed),
    unknown: total(results, ({ operations }) => operations.unknown),
  };
}

function total(results: readonly RunResult[], measure: (result: RunResult) => number): number {
  return results.reduce((sum, result) => sum + measure(result), 0);
}
