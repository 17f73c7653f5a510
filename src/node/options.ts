import type { Logger } from 'pino';
import type { Clock } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import type { Metadata } from '../raft/configuration.ts';
import type { GroupId, NodeId } from '../raft/identity.ts';
import type { BootstrapMember } from '../raft/message.ts';
import { isOptions, shown, unknownOptions } from '../raft/option-mistakes.ts';
import { defaultRaftOptions, type RaftOptions, raftOptionMistakes } from '../raft/options.ts';
import type { Storage } from '../storage/contract.ts';
import type { Transport } from '../transport/contract.ts';
import { InvalidOptions } from './errors.ts';
import type { Observer } from './observation.ts';
import type { ReadConsistency } from './read-queue.ts';
import { type SessionSettings, sessionMistakes } from './sessions/session-limits.ts';
import type { SnapshotPolicy } from './snapshot-policy.ts';
import type { CommandCodec, StateMachine } from './state-machine.ts';

/** What `RaftNode.open` takes. */
export interface RaftNodeOptions<Command, Result, Query, Answer> extends SessionSettings {
  /** This server's name: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. */
  readonly id: NodeId;
  readonly storage: Storage;
  readonly transport: Transport;
  readonly stateMachine: StateMachine<Command, Result, Query, Answer>;
  /**
   * The first members of a new cluster, the same list in the same order on every one of them, this one
   * included. It is used while the storage is empty and ignored ever after: a replica whose disk was emptied
   * meets members that are not, and asks them to be let in again.
   */
  readonly bootstrap?: { readonly members: readonly BootstrapMember[] };
  /**
   * Instead of `bootstrap`: members of a cluster that is there already, one at least, to ask to be let in. Such
   * a replica never founds one. Who is let in as what is said by `changeMembership` on the leader.
   */
  readonly join?: { readonly seeds: readonly BootstrapMember[] };
  /** Where others reach this replica. Default: where its transport listens. */
  readonly address?: string;
  /** The application's own words about this replica, told when it asks to be let in. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** When snapshots are taken, and what is kept behind them. Default: `snapshotPolicy()`. */
  readonly snapshots?: SnapshotPolicy;
  /** How commands become bytes. Default: msgpackr, any value it can pack. */
  readonly codec?: CommandCodec<Command>;
  /**
   * How what `apply` returns is kept for the retries of a session. The same on every replica, and equal results
   * must give equal bytes. Default: msgpackr, any value it can pack.
   */
  readonly resultCodec?: CommandCodec<Result>;
  /** Names the log within the storage and the endpoint. Default `default`. */
  readonly group?: GroupId;
  /** Times and bounds of the consensus core. Defaults: `defaultRaftOptions`. */
  readonly raft?: Partial<RaftOptions>;
  /** How long `propose` and `read` wait unless told otherwise; milliseconds. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** Proposals under way in this process, and as many reads; beyond it they are refused. Default 65,536. */
  readonly pendingRequestsMax?: number;
  /** Bytes of one encoded command; a larger one is not proposed. Default 16 MiB. */
  readonly commandBytesMax?: number;
  /** What `read` promises unless told otherwise. Default `linearizable`. */
  readonly readConsistency?: ReadConsistency;
  /**
   * A write that takes longer than this makes a leader hand over, to somebody whose disk answers; milliseconds.
   * Default: two longest election timeouts.
   */
  readonly storageStallMs?: number;
  /** The same for one command being applied. Default: ten longest election timeouts. */
  readonly applyStallMs?: number;
  /** A pino logger; a child of it is used. Default: silent. */
  readonly logger?: Logger;
  /** The doors of time and randomness. Default: the machine's. */
  readonly doors?: { readonly clock: Clock; readonly random: Random };
  /** Sees everything this replica does. For labs. */
  readonly observer?: Observer;
}

export type { BootstrapMember } from '../raft/message.ts';

/** Bytes of one command, unless the options say otherwise. */
export const COMMAND_BYTES_MAX = 16 * 1024 * 1024;

type OptionsOfAny = Pick<RaftNodeOptions<never, unknown, never, unknown>, 'transport' | 'commandBytesMax'>;

const ID = /^[A-Za-z0-9._-]{1,64}$/;

/** Every option there is; one that is missing here does not compile. */
const KNOWN: Readonly<Record<keyof RaftNodeOptions<unknown, unknown, unknown, unknown>, true>> = {
  id: true,
  storage: true,
  transport: true,
  stateMachine: true,
  bootstrap: true,
  join: true,
  address: true,
  metadata: true,
  snapshots: true,
  codec: true,
  group: true,
  raft: true,
  requestTimeoutMs: true,
  pendingRequestsMax: true,
  commandBytesMax: true,
  logger: true,
  doors: true,
  observer: true,
  readConsistency: true,
  storageStallMs: true,
  applyStallMs: true,
  resultCodec: true,
  sessionTimeoutMs: true,
  sessionsMax: true,
  sessionWindow: true,
  sessionResultBytesMax: true,
  sessionTimeStepMaxMs: true,
};

/** Checks all of the options. @throws InvalidOptions with every mistake. */
export function resolveRaftOptions<Command, Result, Query, Answer>(
  options: RaftNodeOptions<Command, Result, Query, Answer>,
): RaftOptions {
  if (!isOptions(options)) {
    throw new InvalidOptions([`expected an object of options, found ${shown(options)}`]);
  }
  const mistakes = unknownOptions(options, Object.keys(KNOWN));
  if (!isId(options.id)) {
    mistakes.push(`id: ${shown(options.id)} is no id; expected 1 to 64 characters of A-Z a-z 0-9 . _ -`);
  }
  if (options.group !== undefined && !isId(options.group)) {
    mistakes.push(
      `group: ${shown(options.group)} is no id; expected 1 to 64 characters of A-Z a-z 0-9 . _ -`,
    );
  }
  mistakes.push(
    ...lacking('storage', options.storage, ['open']),
    ...lacking('transport', options.transport, ['open', 'send', 'setPeers', 'setIdentity', 'stats', 'close']),
    ...lacking('stateMachine', options.stateMachine, ['apply', 'query']),
    ...snapshotMistakes(options.stateMachine),
    ...(options.codec === undefined ? [] : lacking('codec', options.codec, ['encode', 'decode'])),
    ...(options.resultCodec === undefined
      ? []
      : lacking('resultCodec', options.resultCodec, ['encode', 'decode'])),
    ...(options.snapshots === undefined ? [] : lacking('snapshots', options.snapshots, ['due'])),
    ...(options.logger === undefined ? [] : lacking('logger', options.logger, ['child'])),
    ...doorMistakes(options.doors),
    ...bootstrapMistakes(options.id, options.bootstrap),
    ...joinMistakes(options.id, options.join),
    ...metadataMistakes(options.metadata),
    ...sessionMistakes(options),
  );
  if (options.bootstrap !== undefined && options.join !== undefined) {
    mistakes.push('bootstrap, join: give one of them: a cluster is founded, or it is there already');
  }
  if (options.address !== undefined && (typeof options.address !== 'string' || options.address === '')) {
    mistakes.push(`address: expected where this replica can be reached, found ${shown(options.address)}`);
  }
  if (options.observer !== undefined && typeof options.observer !== 'function') {
    mistakes.push(`observer: expected a function, found ${shown(options.observer)}`);
  }
  const keepEntries = options.snapshots?.keepEntries ?? 0;
  if (!Number.isSafeInteger(keepEntries) || keepEntries < 0) {
    mistakes.push(`snapshots.keepEntries: ${shown(keepEntries)} is no whole number from 0`);
  }
  for (const name of [
    'requestTimeoutMs',
    'pendingRequestsMax',
    'commandBytesMax',
    'storageStallMs',
    'applyStallMs',
  ] as const) {
    if (options[name] !== undefined) mistakes.push(...notPositive(name, options[name]));
  }
  const { raft, mistakes: raftMistakes } = raftOptionsOf(options.raft);
  mistakes.push(...raftMistakes, ...readMistakes(options.readConsistency ?? 'linearizable', raft));
  // What ties options together says nothing while some of them make no sense by themselves.
  if (mistakes.length === 0) mistakes.push(...tooLargeForTransport(options, raft));
  if (mistakes.length > 0) throw new InvalidOptions(mistakes);
  return raft;
}

/** A lease is a right only where it was said how far clocks may drift apart. */
export function readMistakes(consistency: unknown, { clockDriftMaxRatio }: RaftOptions): string[] {
  if (!['linearizable', 'lease', 'local'].includes(consistency as string)) {
    return [`readConsistency: expected "linearizable", "lease" or "local", found ${shown(consistency)}`];
  }
  return consistency === 'lease' && clockDriftMaxRatio === null
    ? [
        'readConsistency: "lease" needs raft.clockDriftMaxRatio, by how much clocks may drift apart, such as 0.1',
      ]
    : [];
}

function raftOptionsOf(given: unknown): { readonly raft: RaftOptions; readonly mistakes: readonly string[] } {
  if (given !== undefined && !isOptions(given)) {
    return { raft: defaultRaftOptions, mistakes: [`raft: expected an object, found ${shown(given)}`] };
  }
  // As everywhere, undefined is what was not said.
  const said = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  const raft = { ...defaultRaftOptions, ...Object.fromEntries(said) };
  return {
    raft,
    mistakes: [
      ...unknownOptions(raft, Object.keys(defaultRaftOptions), 'raft.'),
      ...raftOptionMistakes(raft).map((mistake) => `raft: ${mistake}`),
    ],
  };
}

/** Besides entries, a message holds names, and now and then a configuration. */
const MESSAGE_OVERHEAD_BYTES = 64 * 1024;

/** A command that the transport never carries would be in the leader's log for ever, and everything behind it. */
function tooLargeForTransport(
  { transport, commandBytesMax = COMMAND_BYTES_MAX }: OptionsOfAny,
  { messageBytesMax, snapshotChunkBytes }: RaftOptions,
): string[] {
  const carried = transport.messageBytesMax;
  if (carried === undefined) return [];
  const most = carried - MESSAGE_OVERHEAD_BYTES;
  return Object.entries({
    commandBytesMax,
    'raft.messageBytesMax': messageBytesMax,
    'raft.snapshotChunkBytes': snapshotChunkBytes,
  })
    .filter(([, bytes]) => bytes > most)
    .map(
      ([name, bytes]) =>
        `${name}: ${bytes} is more than the transport carries in one message (${carried}, less ` +
        `${MESSAGE_OVERHEAD_BYTES} for the rest of it); lower it, or raise the transport's bound`,
    );
}

function doorMistakes(doors: unknown): string[] {
  if (doors === undefined) return [];
  if (!isOptions(doors)) return [`doors: expected { clock, random }, found ${shown(doors)}`];
  return [
    ...lacking('doors.clock', doors.clock, ['now', 'wall', 'setTimer', 'clearTimer', 'endOfTurn']),
    ...lacking('doors.random', doors.random, ['integer', 'bytes']),
  ];
}

function bootstrapMistakes(
  id: unknown,
  bootstrap: { readonly members: readonly BootstrapMember[] } | undefined,
): string[] {
  if (bootstrap === undefined) return [];
  if (!isOptions(bootstrap)) return [`bootstrap: expected { members }, found ${shown(bootstrap)}`];
  if (!Array.isArray(bootstrap.members) || bootstrap.members.length === 0) {
    return ['bootstrap.members: expected a list of at least one { id, address }'];
  }
  const { mistakes, ids } = memberMistakes('bootstrap.members', bootstrap.members);
  if (!ids.has(id)) mistakes.push(`bootstrap.members: does not list this replica, ${shown(id)}`);
  return mistakes;
}

function joinMistakes(
  id: unknown,
  join: { readonly seeds: readonly BootstrapMember[] } | undefined,
): string[] {
  if (join === undefined) return [];
  if (!isOptions(join)) return [`join: expected { seeds }, found ${shown(join)}`];
  if (!Array.isArray(join.seeds)) return ['join.seeds: expected a list of { id, address }'];
  const { mistakes, ids } = memberMistakes('join.seeds', join.seeds);
  if (mistakes.length === 0 && [...ids].every((seed) => seed === id)) {
    mistakes.push('join.seeds: expected at least one member besides this replica');
  }
  return mistakes;
}

function memberMistakes(
  name: string,
  members: readonly BootstrapMember[],
): { readonly mistakes: string[]; readonly ids: ReadonlySet<unknown> } {
  const mistakes: string[] = [];
  const ids = new Set<unknown>();
  for (const [position, member] of members.entries()) {
    const at = `${name}[${position}]`;
    if (!isOptions(member)) {
      mistakes.push(`${at}: expected { id, address }, found ${shown(member)}`);
      continue;
    }
    if (!isId(member.id)) mistakes.push(`${at}.id: ${shown(member.id)} is no id`);
    else if (ids.has(member.id)) mistakes.push(`${at}.id: ${shown(member.id)} is listed twice`);
    ids.add(member.id);
    if (typeof member.address !== 'string' || member.address === '') {
      mistakes.push(
        `${at}.address: expected where its transport can be reached, found ${shown(member.address)}`,
      );
    }
  }
  return { mistakes, ids };
}

function metadataMistakes(metadata: Metadata | undefined): string[] {
  if (metadata === undefined) return [];
  const isRecord = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata);
  return isRecord && Object.values(metadata).every((value) => typeof value === 'string')
    ? []
    : ['metadata: expected an object of strings'];
}

function lacking(name: string, value: unknown, methods: readonly string[]): string[] {
  const held = value as Record<string, unknown> | null | undefined;
  const missing = methods.filter((method) => typeof held?.[method] !== 'function');
  return missing.length === 0 ? [] : [`${name}: expected an object with ${missing.join('(), ')}()`];
}

/** One that cannot be called would be found out when the log is long already, or by a replica that needs it. */
function snapshotMistakes(stateMachine: unknown): string[] {
  const held = stateMachine as Record<'snapshot' | 'restore', unknown> | null | undefined;
  return (['snapshot', 'restore'] as const)
    .filter((method) => held?.[method] !== undefined && typeof held[method] !== 'function')
    .map((method) => `stateMachine.${method}: expected a function, found ${shown(held?.[method])}`);
}

function notPositive(name: string, value: unknown): string[] {
  return Number.isSafeInteger(value) && Number(value) > 0
    ? []
    : [`${name}: ${shown(value)} is no positive integer`];
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && ID.test(value);
}
