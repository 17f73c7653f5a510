import { z } from 'zod';
import {
  durationExpected,
  durationPattern,
  durationRangeExpected,
  durationRangePattern,
  offsetExpected,
  offsetPattern,
  parseDuration,
  parseDurationRange,
  parseOffset,
} from './durations.ts';
import type { Parsed } from './parsed.ts';
import { parsePercentage, percentageExpected, percentagePattern } from './percentages.ts';
import {
  parsePartition,
  parseReplacements,
  parseReplicaId,
  parseReplicaIds,
  parseSelector,
  partitionExpected,
  partitionShapes,
  replacementsExpected,
  replicaIdPattern,
  replicaIdsExpected,
  selectorExpected,
  selectorPattern,
  selectorWords,
} from './selectors.ts';
import { parseSize, sizeExpected, sizePattern } from './sizes.ts';

/**
 * The kinds of settings a scenario is made of. The message of every zod issue says what was expected
 * there, and nothing else: explain-issues.ts adds what was found and where. A message that begins with
 * `one of ` goes on with words separated by `, `.
 */
export function word<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, { error: `one of ${words.join(', ')}` });
}

/** A mapping with these keys and no others. */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, { error: `one of ${Object.keys(shape).join(', ')}` });
}

export function wholeNumber(from: number, to: number) {
  const error = `a whole number from ${from} to ${to}`;
  return z.int({ error }).min(from, { error }).max(to, { error });
}

export function flag() {
  return z.boolean({ error: 'true or false' });
}

/** @param options.least - what it must not be shorter than, as it would be written. */
export function duration(options: { readonly positive: boolean; readonly least?: string }) {
  const { least = '0ms' } = options;
  return text(durationExpected, (found) => {
    const read = parseDuration(found);
    const bound = parseDuration(least);
    if (read.ok && bound.ok && read.value < bound.value) return { ok: false, expected: `at least ${least}` };
    return options.positive && read.ok && read.value === 0
      ? { ok: false, expected: 'a duration greater than 0ms' }
      : read;
  }).meta({ pattern: durationPattern });
}

export function durationRange() {
  return text(durationRangeExpected, parseDurationRange).meta({ pattern: durationRangePattern });
}

export function offset() {
  return text(offsetExpected, parseOffset).meta({ pattern: offsetPattern });
}

export function percentage() {
  return text(percentageExpected, parsePercentage).meta({ pattern: percentagePattern });
}

/** @param least - what it must not be smaller than, as it would be written. */
export function size(least = '0B') {
  return text(sizeExpected, (found) => {
    const read = parseSize(found);
    const bound = parseSize(least);
    return read.ok && bound.ok && read.value < bound.value
      ? { ok: false, expected: `at least ${least}` }
      : read;
  }).meta({ pattern: sizePattern });
}

/** A multiple of the true rate, to thousandths. */
export function rate() {
  const error = 'a multiple of the true rate from 0.1 to 10, to three decimals, such as 1.05';
  return z
    .number({ error })
    .min(0.1, { error })
    .max(10, { error })
    .refine((value) => Math.abs(value * 1000 - Math.round(value * 1000)) < 1e-6, { error })
    .transform((value) => Math.round(value * 1000));
}

const idList = (error: string) =>
  z
    .array(z.string({ error: 'a replica id such as n1' }).meta({ pattern: replicaIdPattern }), { error })
    .transform((value, context) => take(parseReplicaIds(value), context))
    .meta({ minItems: 1, uniqueItems: true });

/** `n4` or `[n4, n5]`. */
export function replicaIds() {
  const one = text(replicaIdsExpected, parseReplicaId).meta({ pattern: replicaIdPattern });
  return z.union([one, idList(replicaIdsExpected)], { error: replicaIdsExpected });
}

/** `{n1: n4}`: who is replaced, and by whom. */
export function replacements() {
  return z
    .record(z.string(), z.string({ error: 'a replica id such as n1' }).meta({ pattern: replicaIdPattern }), {
      error: replacementsExpected,
    })
    .transform((value, context) => take(parseReplacements(value), context))
    .meta({ minProperties: 1, propertyNames: { pattern: replicaIdPattern } });
}

export const selector = z
  .union(
    [
      text(selectorExpected, parseSelector).meta({
        pattern: selectorPattern,
        examples: [...selectorWords, 'n1'],
      }),
      idList(selectorExpected).transform((ids) => ({ kind: 'ids' as const, ids })),
    ],
    { error: selectorExpected },
  )
  .meta({ id: 'selector', description: 'Whom a fault strikes; chosen when it starts, and reported.' });

/** A selector, or the name of a shape alone. */
export const partitionTarget = z.union(
  [
    text(partitionExpected, parsePartition).meta({
      pattern: `${selectorPattern}|^(${partitionShapes.join('|')})$`,
      examples: [...selectorWords, 'n1', ...partitionShapes],
    }),
    idList(selectorExpected).transform((ids) => ({ kind: 'ids' as const, ids })),
  ],
  { error: partitionExpected },
);

function text<T>(expected: string, parse: (found: string) => Parsed<T>) {
  return z
    .string({ error: ({ input }) => expectedInsteadOf(input, expected, parse) })
    .transform((found, context) => take(parse(found), context));
}

function take<T>(read: Parsed<T>, context: z.core.$RefinementCtx<unknown>): T {
  if (read.ok) return read.value;
  context.addIssue({ code: 'custom', message: read.expected });
  return z.NEVER;
}

/** A number where a text belongs mostly lacks its unit, and the parser of the text says so best. */
function expectedInsteadOf(
  input: unknown,
  expected: string,
  parse: (found: string) => Parsed<unknown>,
): string {
  const read = typeof input === 'number' ? parse(String(input)) : null;
  return read === null || read.ok ? expected : read.expected;
}

/**
 * Whether a mapping is sound enough to judge its keys together. By default zod asks only when nothing at
 * all is wrong in it, which would hide a mistake behind another one.
 */
export function wellFormed(payload: z.core.ParsePayload): boolean {
  return (
    typeof payload.value === 'object' &&
    payload.value !== null &&
    !payload.issues.some((issue) => issue.code === 'unrecognized_keys' || (issue.path ?? []).length === 0)
  );
}
