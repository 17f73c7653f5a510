import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  durationPattern,
  durationRangePattern,
  formatDuration,
  offsetPattern,
  parseDuration,
  parseDurationRange,
  parseOffset,
} from '../../../lab/scenario/durations.ts';

describe('a duration', () => {
  it.each([
    ['0ms', 0],
    ['150ms', 150],
    ['30s', 30_000],
    ['1.5s', 1500],
    ['1.005s', 1005],
    ['0.3s', 300],
    ['2m', 120_000],
    ['0.5m', 30_000],
    ['1.0ms', 1],
    [' 5s ', 5000],
    ['1440m', 86_400_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: ms });
    expect(text.trim()).toMatch(new RegExp(durationPattern));
  });

  it.each([
    ['30', 'a unit after the number: 30ms, 30s or 30m'],
    ['1.5', 'a unit after the number: 1.5ms, 1.5s or 1.5m'],
    ['0.5ms', 'whole milliseconds; the lab has no finer time'],
    ['1.0005s', 'whole milliseconds; the lab has no finer time'],
    ['1441m', 'a duration of at most 1440m, one day'],
    ['999999999999m', 'a duration of at most 1440m, one day'],
    ...['', 's', '5 s', '-5s', '5h', '5S', '1e3ms', '.5s', '5.s', '5s5s', '1,5s', 'Infinitys', '٣s'].map(
      (text) => [text, 'a duration with its unit, such as 150ms, 1.5s, 30s or 2m'],
    ),
  ])('%j is refused', (text, expected) => {
    expect(parseDuration(text)).toEqual({ ok: false, expected });
  });

  it('is read back from what it is printed as', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_400_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, value: ms });
        expect(parseOffset(formatDuration(-ms))).toEqual({ ok: true, value: ms === 0 ? 0 : -ms });
      }),
    );
  });

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[-+0-9.ms]*$/)), (text) => {
        const read = parseDuration(text);
        if (read.ok) expect(Number.isSafeInteger(read.value) && read.value >= 0).toBe(true);
        parseDurationRange(text);
        parseOffset(text);
      }),
    );
  });
});

describe('a range of durations', () => {
  it.each([
    ['150ms..300ms', 150, 300],
    ['0ms..1s', 0, 1000],
    ['5ms', 5, 5],
    ['5ms..5ms', 5, 5],
    ['500ms .. 1s', 500, 1000],
  ])('%s goes from %d to %d ms', (text, fromMs, toMs) => {
    expect(parseDurationRange(text)).toEqual({ ok: true, value: { fromMs, toMs } });
    expect(text).toMatch(new RegExp(durationRangePattern));
  });

  it.each([
    ['300ms..150ms', 'the shorter end first: 150ms..300ms'],
    ['150..300ms', 'a unit after the number: 150ms, 150s or 150m'],
    ['1ms..', 'a duration such as 5ms, or a range such as 150ms..300ms'],
    ['..1ms', 'a duration such as 5ms, or a range such as 150ms..300ms'],
    ['1ms..2ms..3ms', 'a duration such as 5ms, or a range such as 150ms..300ms'],
    ['1ms...2ms', 'a duration such as 5ms, or a range such as 150ms..300ms'],
    ['1ms-2ms', 'a duration such as 5ms, or a range such as 150ms..300ms'],
    ['', 'a duration such as 5ms, or a range such as 150ms..300ms'],
  ])('%j is refused', (text, expected) => {
    expect(parseDurationRange(text)).toEqual({ ok: false, expected });
  });
});

describe('an offset', () => {
  it.each([
    ['600ms', 600],
    ['+600ms', 600],
    ['-600ms', -600],
    ['-1.5s', -1500],
    ['-0ms', 0],
  ])('%s is %d ms', (text, ms) => {
    expect(parseOffset(text)).toEqual({ ok: true, value: ms });
    expect(text).toMatch(new RegExp(offsetPattern));
  });

  it.each([
    ['--5s', 'a duration forwards or backwards, such as 600ms or -600ms'],
    ['-', 'a duration forwards or backwards, such as 600ms or -600ms'],
    ['-600', 'a unit after the number: 600ms, 600s or 600m'],
  ])('%j is refused', (text, expected) => {
    expect(parseOffset(text)).toEqual({ ok: false, expected });
  });
});
