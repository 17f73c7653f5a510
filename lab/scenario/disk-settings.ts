import { z } from 'zod';
import type { DiskOperation, DiskTrouble, DurationRange, Fault, RottenFiles } from './scenario.ts';
import { durationRange, flag, section, selector, size, wellFormed, wholeNumber, word } from './settings.ts';

const troubles = ['fail', 'hang', 'latency', 'full', 'rot'] as const;
const placesExpected = 'a whole number from 1 to 1000, or all';
const fullExpected = 'true, or how much is left, such as 64KiB';

/** A disk does one thing at a time: two faults in the timeline make two troubles of it. */
export const disk = section({
  on: selector,
  fail: word(['read', 'write', 'sync'])
    .optional()
    .describe('Which operation of the disk fails. It ends by itself: no `for`.'),
  times: wholeNumber(1, 1_000_000)
    .optional()
    .describe('How many of the next such operations fail. Default: 1.'),
  hang: flag().optional().describe('Nothing that is asked of the disk is answered before the end.'),
  latency: durationRange().optional().describe('Of each of its operations, until the end.'),
  full: z
    .union([flag(), size()], { error: fullExpected })
    .optional()
    .describe('Nothing more fits, or only so much, until the end.'),
  rot: word(['blocks', 'hard-state', 'identity', 'mark', 'floor', 'snapshots'])
    .optional()
    .describe(
      'Which durable files change in random places: bits flip, sectors read as zeros; LevelDB loses records, brings ' +
        'older ones back or opens empty. It stays as it is: no `for`.',
    ),
  places: z
    .union([wholeNumber(1, 1000), z.literal('all')], { error: placesExpected })
    .optional()
    .describe(
      'How many places rot on each disk; `all`: nothing is left of these files, and a LevelDB does not open any more. ' +
        'Default: 1.',
    ),
})
  .refine((fault) => troubles.filter((one) => fault[one] !== undefined).length === 1, {
    error: `exactly one of ${troubles.join(', ')}`,
    when: wellFormed,
  })
  .refine(({ hang }) => hang !== false, { error: 'true', path: ['hang'], when: wellFormed })
  .refine(({ full }) => full !== false, { error: fullExpected, path: ['full'], when: wellFormed })
  .refine(({ fail, times }) => times === undefined || fail !== undefined, {
    error: 'no `times` without `fail`',
    path: ['times'],
    when: wellFormed,
  })
  .refine(({ rot, places }) => places === undefined || rot !== undefined, {
    error: 'no `places` without `rot`',
    path: ['places'],
    when: wellFormed,
  })
  .transform(({ on, ...settings }): Fault => ({ kind: 'disk', on, ...troubleOf(settings) }))
  .meta({ oneOf: troubles.map((one) => ({ required: [one] })) })
  .describe('The disks of the selected replicas fail, hang, are slow or full, or rot.');

/** The refinements have complained where there is not exactly one. */
function troubleOf(settings: {
  readonly fail?: DiskOperation | undefined;
  readonly times?: number | undefined;
  readonly latency?: DurationRange | undefined;
  readonly full?: boolean | number | undefined;
  readonly rot?: RottenFiles | undefined;
  readonly places?: number | 'all' | undefined;
}): DiskTrouble {
  const { fail, times = 1, latency, full, rot, places = 1 } = settings;
  if (fail !== undefined) return { how: 'fails', operation: fail, times };
  if (latency !== undefined) return { how: 'slows', latency };
  if (full !== undefined) return { how: 'fills', bytesLeft: typeof full === 'number' ? full : 0 };
  return rot === undefined ? { how: 'hangs' } : { how: 'rots', what: rot, places };
}
