import { z } from 'zod';
import { disk } from './disk-settings.ts';
import type { Fault, Selector } from './scenario.ts';
import { type PartitionShapeName, partitionShapes, selectorExpected } from './selectors.ts';
import {
  duration,
  durationRange,
  flag,
  offset,
  partitionTarget,
  percentage,
  rate,
  replacements,
  replicaIds,
  section,
  selector,
  wellFormed,
  wholeNumber,
  word,
} from './settings.ts';

const wholePartition = section({
  on: selector.optional(),
  from: selector.optional().describe('From whom the selected replicas are cut off. Default: all others.'),
  direction: word(['both', 'outgoing', 'incoming'])
    .optional()
    .describe(
      'Which messages of the selected replicas are lost: both ways (the default), what they send, what they get.',
    ),
  shape: word(partitionShapes)
    .optional()
    .describe(
      'bridge: two halves that do not see each other, and one replica (`on`; by default any) that sees both. ' +
        'ring: each replica sees only its two neighbours. Left out: `on` is cut off.',
    ),
})
  .refine(({ on, shape }) => on !== undefined || shape !== undefined, {
    error: selectorExpected,
    path: ['on'],
    when: wellFormed,
  })
  .refine(({ on, shape }) => on === undefined || shape !== 'ring', {
    error: 'no `on`: in a ring all replicas are alike',
    path: ['on'],
    when: wellFormed,
  })
  .refine(({ from, shape }) => from === undefined || shape === undefined, {
    error: 'no `from`: the shape says who sees whom',
    path: ['from'],
    when: wellFormed,
  })
  .refine(({ direction, shape }) => direction === undefined || shape === undefined, {
    error: 'no `direction`: a shape cuts both ways',
    path: ['direction'],
    when: wellFormed,
  })
  .meta({ anyOf: [{ required: ['on'] }, { required: ['shape'] }] });

const partition = z
  .union(
    [
      partitionTarget.transform((target) =>
        typeof target === 'string' ? partitionOf({ shape: target }) : partitionOf({ on: target }),
      ),
      wholePartition.transform(partitionOf),
    ],
    { error: 'a selector such as leader, a shape such as bridge, or a mapping with `on` or `shape`' },
  )
  .describe('Cuts links: the selected replicas off from all others or from some, or in a shape.');

function partitionOf({
  on,
  from,
  direction,
  shape,
}: {
  readonly on?: Selector | undefined;
  readonly from?: Selector | undefined;
  readonly direction?: 'both' | 'outgoing' | 'incoming' | undefined;
  readonly shape?: PartitionShapeName | undefined;
}): Fault {
  if (shape === 'ring') return { kind: 'partition', shape, on: { kind: 'all' } };
  if (shape === 'bridge') return { kind: 'partition', shape, on: on ?? { kind: 'random', count: 1 } };
  // The refinements have complained where `on` is missing.
  return {
    kind: 'partition',
    shape: 'cut-off',
    on: on ?? { kind: 'all' },
    from: from ?? null,
    direction: direction ?? 'both',
  };
}

const network = section({
  on: selector,
  latency: durationRange().optional().describe('One way, drawn anew for each message.'),
  loss: percentage().optional().describe('Of messages.'),
  duplicate: percentage().optional().describe('Of messages.'),
})
  .refine((fault) => [fault.latency, fault.loss, fault.duplicate].some((bad) => bad !== undefined), {
    error: 'at least one of latency, loss and duplicate',
    when: wellFormed,
  })
  .transform(
    (fault): Fault => ({
      kind: 'network',
      on: fault.on,
      latency: fault.latency ?? null,
      lossPerMille: fault.loss ?? null,
      duplicatePerMille: fault.duplicate ?? null,
    }),
  )
  .describe('Worse links from and to the selected replicas; what is left out stays as it is.');

const clock = section({
  on: selector,
  offset: offset().optional().describe('How far both clocks of the replica jump; back again at the end.'),
  rate: rate().optional().describe('How fast the clocks run; 1.0 is true.'),
})
  .refine((fault) => (fault.offset ?? 0) !== 0 || (fault.rate ?? 1000) !== 1000, {
    error: 'an offset other than 0ms or a rate other than 1.0',
    when: wellFormed,
  })
  .transform(
    (fault): Fault => ({
      kind: 'clock',
      on: fault.on,
      offsetMs: fault.offset ?? 0,
      ratePerMille: fault.rate ?? 1000,
    }),
  )
  .describe('Moves the clocks of the selected replicas, or runs them too fast or too slow.');

const crash = strikes(
  section({
    on: selector,
    power: flag().default(false).describe('A power cut: what was not synced is lost or torn.'),
  }),
  { power: false },
)
  .transform((fault): Fault => ({ kind: 'crash', ...fault }))
  .describe('The process dies; it restarts at the end.');

const pause = strikes(section({ on: selector }), {})
  .transform((fault): Fault => ({ kind: 'pause', ...fault }))
  .describe('The process stands still, as under SIGSTOP.');

const wipe = strikes(section({ on: selector }), {})
  .transform((fault): Fault => ({ kind: 'wipe', ...fault }))
  .describe('The process dies and its disk is emptied; it restarts at the end, with the flags it had.');

const membershipKinds = ['add', 'add-learners', 'promote', 'demote', 'remove', 'replace'] as const;

const membership = section({
  add: replicaIds().optional().describe('Machines that become voters; spares start now.'),
  'add-learners': replicaIds().optional().describe('Machines that become learners; spares start now.'),
  promote: replicaIds().optional().describe('Learners that become voters.'),
  demote: selector.optional().describe('Voters that become learners.'),
  remove: selector.optional().describe('Members that leave.'),
  replace: replacements()
    .optional()
    .describe('Members that leave, each with the machine that takes its place.'),
})
  .refine((wish) => membershipKinds.some((kind) => wish[kind] !== undefined), {
    error: `at least one of ${membershipKinds.join(', ')}`,
    when: wellFormed,
  })
  .transform(
    (wish): Fault => ({
      kind: 'membership',
      add: wish.add ?? [],
      addLearners: wish['add-learners'] ?? [],
      promote: wish.promote ?? [],
      demote: wish.demote ?? null,
      remove: wish.remove ?? null,
      replace: wish.replace ?? [],
    }),
  )
  .describe(
    'One change of the membership, asked for as an operator does: again until it is done. Changes wait for each other. It ends by itself: no `for`.',
  );

export const faultKinds = [
  'partition',
  'network',
  'disk',
  'clock',
  'crash',
  'pause',
  'wipe',
  'membership',
] as const;

/** One item of the timeline, without the line it stands on. */
export const step = section({
  at: duration({ positive: false }).describe('When the fault starts, counted from the first leader on.'),
  for: duration({ positive: true })
    .optional()
    .describe('How long it lasts. Left out: until the end of the run, or momentary by nature.'),
  every: duration({ positive: true })
    .optional()
    .describe('From one time it starts to the next, where it comes several `times`.'),
  times: wholeNumber(2, 10_000).optional().describe('How often it comes, once `every` so long.'),
  partition: partition.optional(),
  network: network.optional(),
  disk: disk.optional(),
  clock: clock.optional(),
  crash: crash.optional(),
  pause: pause.optional(),
  wipe: wipe.optional(),
  membership: membership.optional(),
})
  .refine((item) => faultKinds.filter((kind) => item[kind] !== undefined).length === 1, {
    error: `exactly one fault: ${faultKinds.join(', ')}`,
    when: wellFormed,
  })
  .refine(({ every, times }) => every === undefined || times !== undefined, {
    error: '`times` beside `every`',
    path: ['every'],
    when: wellFormed,
  })
  .refine(({ every, times }) => times === undefined || every !== undefined, {
    error: '`every` beside `times`',
    path: ['times'],
    when: wellFormed,
  })
  .transform((item) => {
    const kind = faultKinds.find((one) => item[one] !== undefined);
    const fault = kind && item[kind];
    // The refinement above has complained where there is none.
    if (fault === undefined) return z.NEVER;
    const { at: atMs, for: forMs = null, every: everyMs = 0, times = 1 } = item;
    return { atMs, forMs, everyMs, times, fault };
  })
  .meta({ oneOf: faultKinds.map((kind) => ({ required: [kind] })) });

/** A fault whose settings all have defaults may be written as its selector alone: `partition: leader`. */
function strikes<Full extends z.ZodType<{ on: Selector }>, Defaults extends object>(
  full: Full,
  defaults: Defaults,
) {
  const short = selector.transform((on) => ({ on, ...defaults }));
  return z.union([short, full], { error: 'a selector such as leader, or a mapping with `on`' });
}
