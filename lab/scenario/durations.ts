import { expected, type Parsed, parsed } from './parsed.ts';
import type { DurationRange } from './scenario.ts';

export const durationExpected = 'a duration with its unit, such as 150ms, 1.5s, 30s or 2m';
export const durationRangeExpected = 'a duration such as 5ms, or a range such as 150ms..300ms';
export const offsetExpected = 'a duration forwards or backwards, such as 600ms or -600ms';

/** For the JSON Schema: what an editor may check without us. */
export const durationPattern = `^${duration()}$`;
export const durationRangePattern = `^${duration()}( *\\.\\. *${duration()})?$`;
export const offsetPattern = `^[+-]?${duration()}$`;

/** Nothing in a scenario lasts longer than a day. */
const DURATION_MAX_MS = 24 * 60 * 60 * 1000;

/** `150ms`, `1.5s`, `2m` -> whole milliseconds, 0 up to a day. */
export function parseDuration(text: string): Parsed<number> {
  const match = /^(\d{1,12})(?:\.(\d{1,6}))?(ms|s|m)$/.exec(text.trim());
  if (!match) return expected(missingUnit(text) ?? durationExpected);
  const [, whole = '', fraction = '', unit = ''] = match;
  const unitMs = unit === 'ms' ? 1 : unit === 's' ? 1000 : 60_000;
  // In integers, so that 1.005s is 1005 ms and not what floating point makes of it.
  const scale = 10 ** fraction.length;
  const scaled = Number(fraction) * unitMs;
  if (scaled % scale !== 0) return expected('whole milliseconds; the lab has no finer time');
  const ms = Number(whole) * unitMs + scaled / scale;
  return ms <= DURATION_MAX_MS ? parsed(ms) : expected('a duration of at most 1440m, one day');
}

/** `150ms..300ms`, both ends inclusive; a single duration is a range of one value. */
export function parseDurationRange(text: string): Parsed<DurationRange> {
  const ends = text.split('..');
  const [first = '', second = first] = ends;
  if (ends.length > 2) return expected(durationRangeExpected);
  const from = parseDuration(first);
  const to = parseDuration(second);
  if (!from.ok || !to.ok) {
    const reason = !from.ok ? from.expected : !to.ok ? to.expected : '';
    return expected(reason === durationExpected ? durationRangeExpected : reason);
  }
  if (from.value > to.value) {
    return expected(`the shorter end first: ${second.trim()}..${first.trim()}`);
  }
  return parsed({ fromMs: from.value, toMs: to.value });
}

/** A duration with a sign. */
export function parseOffset(text: string): Parsed<number> {
  const trimmed = text.trim();
  const backwards = trimmed.startsWith('-');
  const duration = parseDuration(/^[+-]/.test(trimmed) ? trimmed.slice(1) : trimmed);
  if (!duration.ok) {
    return expected(duration.expected === durationExpected ? offsetExpected : duration.expected);
  }
  return parsed(backwards && duration.value > 0 ? -duration.value : duration.value);
}

/** The shortest text that `parseDuration` (or, when negative, `parseOffset`) reads as this many milliseconds. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1000) return `${ms}ms`;
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1000}s`;
}

function missingUnit(text: string): string | null {
  const number = /^\d+(\.\d+)?$/.exec(text.trim())?.[0];
  return number === undefined ? null : `a unit after the number: ${number}ms, ${number}s or ${number}m`;
}

function duration(): string {
  return '\\d+(\\.\\d+)?(ms|s|m)';
}
