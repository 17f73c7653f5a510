import { z } from 'zod';
import { step } from './fault-settings.ts';
import { duration, durationRange, flag, percentage, section, size, wholeNumber, word } from './settings.ts';

export const clusterSettings = {
  replicas: wholeNumber(1, 15)
    .default(3)
    .describe('How many replicas found the cluster; their ids are n1, n2, ...'),
  spares: wholeNumber(0, 15)
    .default(0)
    .describe(
      'How many more machines wait for a step of the timeline to take them in, with the ids after those.',
    ),
  backend: word(['files', 'level']).default('files').describe('What keeps the blocks of the log.'),
  codec: word(['none', 'gzip', 'zstd']).default('none').describe('How blocks are compressed.'),
  shards: wholeNumber(1, 64).default(1).describe('Over how many shards the groups are spread.'),
  segment: size('64KiB')
    .prefault('64MiB')
    .describe('Of the files that the files backend keeps the log in; each is given up as a whole.'),
  scrub: duration({ positive: false })
    .prefault('60m')
    .describe('Between two scrubs, which read all of the log for damage, and before the first; 0s: none.'),
  reserve: size()
    .prefault('64KiB')
    .describe('A replica with less than this free on its disk steps aside; 0B: never.'),
  'election-timeout': durationRange().prefault('500ms..1s').describe('Each wait is drawn anew from it.'),
  heartbeat: duration({ positive: true })
    .prefault('100ms')
    .describe('Between two rounds of heartbeats; at most half of the shortest election timeout.'),
  'clock-drift': percentage()
    .optional()
    .describe(
      'By how much clocks drift apart at most, as the replicas are told; then leaders may read by a lease.',
    ),
  snapshots: section({
    entries: wholeNumber(1, 1_000_000_000)
      .default(10_000)
      .describe('Replicas take a snapshot at every multiple of this index.'),
    'keep-entries': wholeNumber(0, 1_000_000_000)
      .default(1_000)
      .describe('Entries before a snapshot that stay in the log, for followers that lag.'),
    chunk: size('1B').prefault('256KiB').describe('In which pieces a leader sends a snapshot.'),
    'bytes-per-second': wholeNumber(0, 1_000_000_000)
      .default(0)
      .describe('Of snapshots that a leader sends, to all together; 0: as fast as it goes.'),
  })
    .transform(({ entries, chunk, ...rest }) => ({
      entries,
      keepEntries: rest['keep-entries'],
      chunkBytes: chunk,
      bytesPerSecond: rest['bytes-per-second'],
    }))
    .prefault({})
    .describe('When the log is compacted, and how snapshots travel.'),
  sessions: section({
    max: wholeNumber(1, 1_000_000).default(10_000).describe('One more evicts the one least recently active.'),
    timeout: duration({ positive: true, least: '1s' })
      .prefault('60m')
      .describe('Without use a session expires after it.'),
    'result-bytes': size('1B').prefault('64MiB').describe('Of results kept for retries, all together.'),
  })
    .transform(({ max, timeout, 'result-bytes': resultBytesMax }) => ({
      max,
      timeoutMs: timeout,
      resultBytesMax,
    }))
    .prefault({})
    .describe('How the sessions of clients are bounded; used by a workload with `sessions`.'),
  limits: section({
    message: size('1B').prefault('256KiB').describe('Entries of one message.'),
    'window-messages': wholeNumber(1, 1_000_000).default(64).describe('Messages under way to one follower.'),
    window: size('1B').prefault('4MiB').describe('Entries under way to one follower.'),
    uncommitted: size('1B').prefault('64MiB').describe('Entries of a leader that are not committed.'),
    'disk-backlog': size('1B').prefault('64MiB').describe('Entries that wait for the own disk.'),
    cache: size().prefault('16MiB').describe('Recent entries in memory.'),
    apply: size('1B').prefault('1MiB').describe('Entries handed to the state machine at a time.'),
    'pending-requests': wholeNumber(1, 10_000_000)
      .default(65_536)
      .describe('Requests at one replica that wait for their outcome.'),
  })
    .transform((limits) => ({
      messageBytes: limits.message,
      windowMessages: limits['window-messages'],
      windowBytes: limits.window,
      uncommittedBytes: limits.uncommitted,
      diskBacklogBytes: limits['disk-backlog'],
      cacheBytes: limits.cache,
      applyBytes: limits.apply,
      pendingRequests: limits['pending-requests'],
    }))
    .prefault({})
    .describe('How much a replica holds in memory at most.'),
};

export const networkSettings = {
  latency: durationRange().prefault('1ms..5ms').describe('One way, drawn anew for each message.'),
  loss: percentage().prefault('0%').describe('Of messages.'),
  duplicate: percentage().prefault('0%').describe('Of messages.'),
};

export const workloadSettings = {
  overload: section({
    at: duration({ positive: false }).describe('When it begins, counted from the first leader on.'),
    for: duration({ positive: true }).describe('How long it lasts.'),
    'operations-per-second': wholeNumber(1, 100_000).describe('Beside those of the clients.'),
  })
    .transform((overload) => ({
      atMs: overload.at,
      forMs: overload.for,
      operationsPerSecond: overload['operations-per-second'],
    }))
    .optional()
    .describe(
      'More clients for a while, each with one operation, which come however long others wait; refused as overloaded, they go.',
    ),
  reads: word(['linearizable', 'lease'])
    .default('linearizable')
    .describe('What clients ask of their reads; `lease` needs a `clock-drift` of the cluster.'),
};

/** The sections of a scenario file, each with its defaults; keys as they are written in the file. */
export const sections = {
  name: z
    .string({ error: 'a name of lower-case letters, digits and dashes' })
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, { error: 'a name of lower-case letters, digits and dashes' })
    .max(64, { error: 'a name of at most 64 characters' })
    .optional()
    .describe('What reports call it. Default: the name of the file without its extension.'),

  description: z
    .string({ error: 'a text' })
    .default('')
    .describe('What the scenario shows, in a sentence or two.'),

  cluster: section(clusterSettings)
    .transform((cluster) => {
      const {
        'election-timeout': electionTimeout,
        heartbeat: heartbeatMs,
        'clock-drift': clockDrift,
        segment,
        scrub: scrubIntervalMs,
        reserve,
        ...rest
      } = cluster;
      const clockDriftPerMille = clockDrift ?? null;
      const storage = { segmentBytes: segment, scrubIntervalMs, reserveBytes: reserve };
      return { ...rest, ...storage, electionTimeout, heartbeatMs, clockDriftPerMille };
    })
    .prefault({})
    .describe('The replicas and how they are set up.'),

  network: section(networkSettings)
    .transform(({ latency, loss, duplicate }) => ({
      latency,
      lossPerMille: loss,
      duplicatePerMille: duplicate,
    }))
    .prefault({})
    .describe('The links between replicas all through the run; faults make them worse.'),

  disk: section({
    latency: durationRange().prefault('1ms..2ms').describe('Of each write and each sync.'),
  })
    .prefault({})
    .describe('The disks of the replicas all through the run.'),

  workload: section({
    kind: word(['kv']).default('kv').describe('What clients do: read, write and compare-and-set keys.'),
    clients: wholeNumber(1, 1000).default(5).describe('How many work at the same time.'),
    'operations-per-second': wholeNumber(1, 100_000).default(100).describe('All clients together.'),
    keys: wholeNumber(1, 10_000).default(5).describe('Few keys make conflicts, and so sharper checks.'),
    mix: section({
      read: wholeNumber(0, 1000).default(0),
      write: wholeNumber(0, 1000).default(0),
      cas: wholeNumber(0, 1000).default(0),
    })
      .refine((mix) => mix.read + mix.write + mix.cas > 0, { error: 'at least one weight above 0' })
      .prefault({ read: 4, write: 4, cas: 2 })
      .describe('Weights of the kinds of operation; one that is left out does not occur.'),
    reads: workloadSettings.reads,
    timeout: duration({ positive: true })
      .prefault('2s')
      .describe('After this an operation counts as unknown (write, cas) or failed (read).'),
    'lost-answers': percentage()
      .prefault('0%')
      .describe('Of what replicas answer; such a client waits until its timeout.'),
    sessions: flag()
      .default(false)
      .describe('Each client writes in a session, and retries a write after `timeout` until it is answered.'),
    overload: workloadSettings.overload,
  })
    .transform(({ timeout: timeoutMs, overload, ...rest }) => {
      const {
        'operations-per-second': operationsPerSecond,
        'lost-answers': lostAnswersPerMille,
        ...workload
      } = rest;
      return { ...workload, operationsPerSecond, lostAnswersPerMille, timeoutMs, overload: overload ?? null };
    })
    .prefault({})
    .describe('What clients do meanwhile.'),

  duration: duration({ positive: true }).describe('How long clients run, counted from the first leader on.'),

  timeline: z
    .array(step, { error: 'a list of faults, each beginning with a dash and `at`' })
    .default([])
    .describe('The faults, each with the moment it starts.'),

  expect: section({
    'new-leader-within': duration({ positive: true })
      .optional()
      .describe('From a fault taking the leader from the majority to a leader of a higher term there.'),
    'step-down-within': duration({ positive: true })
      .optional()
      .describe('From a leader being cut off from the majority until it no longer leads.'),
    'recovery-within': duration({ positive: true })
      .prefault('10s')
      .describe('From the end of the last fault until operations succeed and all replicas agree.'),
    'unavailable-at-most': duration({ positive: true })
      .optional()
      .describe('The longest time with clients waiting and nothing acknowledged.'),
    'settles-within': duration({ positive: true })
      .optional()
      .describe(
        'From each fault striking or ending until one leader stays and serves clients, up to the next one or the end of the run.',
      ),
    'storage-reopened': flag()
      .default(false)
      .describe('Every replica struck by a disk fault reopened its storage.'),
    'steps-aside': flag()
      .default(false)
      .describe(
        'Every replica whose disk a fault fills takes no more entries before one of its writes fails.',
      ),
    'damage-repaired': flag()
      .default(false)
      .describe('Some log is found damaged, and every one that is holds again at the end what it promised.'),
    'stale-read': flag()
      .default(false)
      .describe('A read by a lease was stale, because a clock drifted beyond the declared bound.'),
    'snapshot-resumed': flag()
      .default(false)
      .describe('A transfer of a snapshot that lost its leader went on where it had stopped, at least once.'),
    'memory-bounded': flag()
      .default(false)
      .describe('No replica ever holds more in memory than its limits allow.'),
    'overload-refused': flag()
      .default(false)
      .describe('Of the operations of an overload some are refused for it, and some acknowledged.'),
    'membership-within': duration({ positive: true })
      .optional()
      .describe('From an operator asking for a change of the membership until it is done. Default: 20s.'),
    'log-at-most': wholeNumber(1, 1_000_000_000)
      .optional()
      .describe("How many entries each replica's log may hold, at any time."),
    'disk-at-most': size().optional().describe('How much each disk may hold, when its log was compacted.'),
  })
    .transform((expect) => ({
      newLeaderWithinMs: expect['new-leader-within'] ?? null,
      stepDownWithinMs: expect['step-down-within'] ?? null,
      recoveryWithinMs: expect['recovery-within'],
      unavailableAtMostMs: expect['unavailable-at-most'] ?? null,
      settlesWithinMs: expect['settles-within'] ?? null,
      storageReopened: expect['storage-reopened'],
      stepsAside: expect['steps-aside'],
      damageRepaired: expect['damage-repaired'],
      staleRead: expect['stale-read'],
      snapshotResumed: expect['snapshot-resumed'],
      memoryBounded: expect['memory-bounded'],
      overloadRefused: expect['overload-refused'],
      membershipWithinMs: expect['membership-within'] ?? null,
      logAtMost: expect['log-at-most'] ?? null,
      diskAtMostBytes: expect['disk-at-most'] ?? null,
    }))
    .prefault({})
    .describe('Bounds that must hold; safety is always checked and needs no mention.'),
};

/** A whole scenario file. */
export const scenarioSchema = section(sections).meta({
  title: 'Kontiki scenario',
  description: 'A cluster, its clients, the faults that strike it, and what must hold nevertheless.',
});
