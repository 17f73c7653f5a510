import type { Logger } from 'pino';
import type { Clock } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import type { GroupId, NodeId } from '../raft/identity.ts';
import { defaultRaftOptions, type RaftOptions, raftOptionMistakes } from '../raft/options.ts';
import type { Storage } from '../storage/contract.ts';
import type { Transport } from '../transport/contract.ts';
import { InvalidOptions } from './errors.ts';
import type { Observer } from './observation.ts';
import type { CommandCodec, StateMachine } from './state-machine.ts';

/** What `RaftNode.open` takes. */
export interface RaftNodeOptions<Command, Result, Query, Answer> {
  /** This server's name: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. */
  readonly id: NodeId;
  readonly storage: Storage;
  readonly transport: Transport;
  readonly stateMachine: StateMachine<Command, Result, Query, Answer>;
  /**
   * The first members of a new cluster, the same list in the same order on every one of them, this one
   * included. It is used while the storage is empty and ignored ever after.
   */
  readonly bootstrap?: { readonly members: readonly BootstrapMember[] };
  /** How commands become bytes. Default: msgpackr, any value it can pack. */
  readonly codec?: CommandCodec<Command>;
  /** Names the log within the storage and the endpoint. Default `default`. */
  readonly group?: GroupId;
  /** Times and bounds of the consensus core. Defaults: `defaultRaftOptions`. */
  readonly raft?: Partial<RaftOptions>;
  /** How long `propose` and `read` wait unless told otherwise; milliseconds. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** Proposals and reads under way in this process; beyond it they are refused. Default 65,536. */
  readonly pendingRequestsMax?: number;
  /** Bytes of one encoded command; a larger one is not proposed. Default 16 MiB. */
  readonly commandBytesMax?: number;
  /** A pino logger; a child of it is used. Default: silent. */
  readonly logger?: Logger;
  /** The doors of time and randomness. Default: the machine's. */
  readonly doors?: { readonly clock: Clock; readonly random: Random };
  /** Sees everything this replica does. For labs. */
  readonly observer?: Observer;
}

export interface BootstrapMember {
  readonly id: NodeId;
  /** Where its transport can be reached. */
  readonly address: string;
}

const ID = /^[A-Za-z0-9._-]{1,64}$/;

/** Checks all of the options. @throws InvalidOptions with every mistake. */
export function resolveRaftOptions<Command, Result, Query, Answer>(
  options: RaftNodeOptions<Command, Result, Query, Answer>,
): RaftOptions {
  const mistakes: string[] = [];
  if (!isId(options.id)) {
    mistakes.push(`id: ${show(options.id)} is no id; expected 1 to 64 characters of A-Z a-z 0-9 . _ -`);
  }
  if (options.group !== undefined && !isId(options.group)) {
    mistakes.push(`group: ${show(options.group)} is no id; expected 1 to 64 characters of A-Z a-z 0-9 . _ -`);
  }
  mistakes.push(
    ...lacking('storage', options.storage, ['open']),
    ...lacking('transport', options.transport, ['open', 'send', 'setPeers', 'setIdentity', 'close']),
    ...lacking('stateMachine', options.stateMachine, ['apply', 'query']),
    ...(options.codec === undefined ? [] : lacking('codec', options.codec, ['encode', 'decode'])),
    ...bootstrapMistakes(options.id, options.bootstrap),
  );
  for (const name of ['requestTimeoutMs', 'pendingRequestsMax', 'commandBytesMax'] as const) {
    if (options[name] !== undefined) mistakes.push(...notPositive(name, options[name]));
  }
  const raft: RaftOptions = { ...defaultRaftOptions, ...options.raft };
  mistakes.push(...raftMistakes(raft));
  if (mistakes.length > 0) throw new InvalidOptions(mistakes);
  return raft;
}

function raftMistakes(raft: RaftOptions): string[] {
  const unknown = Object.keys(raft).filter((name) => !(name in defaultRaftOptions));
  const known = Object.keys(defaultRaftOptions).join(', ');
  return [
    ...unknown.map((name) => `raft.${name}: no such option; there are ${known}`),
    ...raftOptionMistakes(raft).map((mistake) => `raft: ${mistake}`),
  ];
}

function bootstrapMistakes(
  id: unknown,
  bootstrap: { readonly members: readonly BootstrapMember[] } | undefined,
): string[] {
  if (bootstrap === undefined) return [];
  if (!Array.isArray(bootstrap.members) || bootstrap.members.length === 0) {
    return ['bootstrap.members: expected a list of at least one { id, address }'];
  }
  const mistakes: string[] = [];
  const seen = new Set<unknown>();
  for (const [position, member] of bootstrap.members.entries()) {
    const at = `bootstrap.members[${position}]`;
    if (!isId(member?.id)) mistakes.push(`${at}.id: ${show(member?.id)} is no id`);
    else if (seen.has(member.id)) mistakes.push(`${at}.id: ${show(member.id)} is listed twice`);
    seen.add(member?.id);
    if (typeof member?.address !== 'string' || member.address === '') {
      mistakes.push(
        `${at}.address: expected where its transport can be reached, found ${show(member?.address)}`,
      );
    }
  }
  if (!seen.has(id)) mistakes.push(`bootstrap.members: does not list this replica, ${show(id)}`);
  return mistakes;
}

function lacking(name: string, value: unknown, methods: readonly string[]): string[] {
  const held = value as Record<string, unknown> | null | undefined;
  const missing = methods.filter((method) => typeof held?.[method] !== 'function');
  return missing.length === 0 ? [] : [`${name}: expected an object with ${missing.join('(), ')}()`];
}

function notPositive(name: string, value: unknown): string[] {
  return Number.isSafeInteger(value) && Number(value) > 0
    ? []
    : [`${name}: ${show(value)} is no positive integer`];
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && ID.test(value);
}

function show(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
