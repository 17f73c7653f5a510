import type { Configuration, Member, Metadata } from './configuration.ts';
import type { ConfigurationEntry, Entry, Index, Term } from './entry.ts';
import type { MemberId } from './identity.ts';

/**
 * The bytes of an entry's payload, on the wire and on disk: a command is its own bytes (never copied), and so
 * is what concerns a session; a no-op is nothing, a configuration is JSON. Kind, index and term travel beside.
 */
export function encodeEntryPayload(entry: Entry): Uint8Array {
  switch (entry.kind) {
    case 'command':
    case 'session':
      return entry.payload;
    case 'noop':
      return nothing;
    case 'configuration':
      return encoder.encode(JSON.stringify(plainConfigurationEntry(entry)));
  }
}

/**
 * The entry that `bytes` hold. A command's payload is a view of `bytes`, not a copy.
 *
 * @throws MalformedEntry when they hold no entry of this kind; `reason` says why.
 */
export function decodeEntryPayload(kind: Entry['kind'], index: Index, term: Term, bytes: Uint8Array): Entry {
  if (!Number.isSafeInteger(index) || index < 1) throw new MalformedEntry(`index ${index} is not 1 or more`);
  if (!Number.isSafeInteger(term) || term < 1) throw new MalformedEntry(`term ${term} is not 1 or more`);
  switch (kind) {
    case 'command':
    case 'session':
      return { kind, index, term, payload: bytes };
    case 'noop':
      if (bytes.length > 0) throw new MalformedEntry(`a no-op with ${bytes.length} bytes of payload`);
      return { kind, index, term };
    case 'configuration':
      return { kind, index, term, ...parseConfiguration(bytes) };
  }
}

/** Bytes that are no entry. */
export class MalformedEntry extends Error {
  readonly code = 'KONTIKI_MALFORMED_ENTRY';
  readonly reason: string;
  constructor(reason: string, options?: { cause?: unknown }) {
    super(`malformed entry: ${reason}`, options);
    this.name = 'MalformedEntry';
    this.reason = reason;
  }
}

/**
 * Checks that a value parsed from JSON is a configuration, and rebuilds it.
 *
 * @throws MalformedEntry
 */
export function parseConfigurationValue(value: unknown, where: string): Configuration {
  const fields = recordOf(value, where, ['id', 'voters', 'outgoing', 'learners', 'retired']);
  return {
    id: stringOf(fields.id, `${where}.id`, configurationId),
    voters: parseMembers(fields.voters, `${where}.voters`),
    outgoing: parseMembers(fields.outgoing, `${where}.outgoing`),
    learners: parseMembers(fields.learners, `${where}.learners`),
    retired: listOf(fields.retired, `${where}.retired`, parseMemberId),
  };
}

/** The configuration with its keys in one fixed order, so that equal configurations are equal bytes. */
export function plainConfiguration(configuration: Configuration): Configuration {
  return {
    id: configuration.id,
    voters: configuration.voters.map(plainMember),
    outgoing: configuration.outgoing.map(plainMember),
    learners: configuration.learners.map(plainMember),
    retired: configuration.retired.map(({ id, incarnation }) => ({ id, incarnation })),
  };
}

const plainConfigurationEntry = (entry: ConfigurationEntry) => ({
  clusterId: entry.clusterId,
  configuration: plainConfiguration(entry.configuration),
});

const plainMember = (member: Member): Member => ({
  id: member.id,
  incarnation: member.incarnation,
  address: member.address,
  ...(member.metadata === undefined ? {} : { metadata: plainMetadata(member.metadata) }),
});

function plainMetadata(metadata: Metadata): Metadata {
  return Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function parseConfiguration(bytes: Uint8Array): Pick<ConfigurationEntry, 'clusterId' | 'configuration'> {
  const fields = recordOf(parseJson(bytes), 'configuration entry', ['clusterId', 'configuration']);
  return {
    clusterId: stringOf(fields.clusterId, 'clusterId', hexId),
    configuration: parseConfigurationValue(fields.configuration, 'configuration'),
  };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new MalformedEntry('a configuration that is not JSON in UTF-8', { cause });
  }
}

function parseMembers(value: unknown, where: string): Member[] {
  return listOf(value, where, parseMember);
}

function parseMember(value: unknown, where: string): Member {
  const fields = recordOf(value, where, ['id', 'incarnation', 'address', 'metadata']);
  const { id, incarnation } = parseMemberId({ id: fields.id, incarnation: fields.incarnation }, where);
  const address = stringOf(fields.address, `${where}.address`, anything);
  return {
    id,
    incarnation,
    address,
    ...(fields.metadata === undefined
      ? {}
      : { metadata: parseMetadata(fields.metadata, `${where}.metadata`) }),
  };
}

function parseMemberId(value: unknown, where: string): MemberId {
  const fields = recordOf(value, where, ['id', 'incarnation']);
  return {
    id: stringOf(fields.id, `${where}.id`, name),
    incarnation: stringOf(fields.incarnation, `${where}.incarnation`, hexId),
  };
}

function parseMetadata(value: unknown, where: string): Metadata {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MalformedEntry(`${where} is not an object`);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, text]) => [key, stringOf(text, `${where}.${key}`, anything)]),
  );
}

function listOf<T>(value: unknown, where: string, parse: (value: unknown, where: string) => T): T[] {
  if (!Array.isArray(value)) throw new MalformedEntry(`${where} is not a list`);
  return value.map((item: unknown, at) => parse(item, `${where}[${at}]`));
}

function recordOf<Key extends string>(
  value: unknown,
  where: string,
  keys: readonly Key[],
): Record<Key, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MalformedEntry(`${where} is not an object`);
  }
  // An unknown key is meaning that this version would lose, so it is refused rather than ignored.
  const unknown = Object.keys(value).filter((key) => !(keys as readonly string[]).includes(key));
  if (unknown.length > 0) throw new MalformedEntry(`${where} has unknown ${unknown.join(', ')}`);
  return value as Record<Key, unknown>;
}

function stringOf(value: unknown, where: string, pattern: RegExp): string {
  if (typeof value !== 'string' || !pattern.test(value)) {
    // Not quoted when it is an object: nested deep enough, that is more than the stack holds.
    const found = typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value);
    throw new MalformedEntry(`${where} is ${found ?? 'missing'}`);
  }
  return value;
}

const nothing = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const hexId = /^[0-9a-f]{16}$/;
const name = /^[A-Za-z0-9._-]{1,64}$/;
const configurationId = /^\d{1,16}\.\d{1,16}$/;
const anything = /^/;
