import type { Metadata } from '../raft/configuration.ts';
import type {
  BootstrapAnswer,
  BootstrapMember,
  BootstrapQuery,
  JoinAnswer,
  JoinOutcome,
  JoinRequest,
} from '../raft/message.ts';
import { MalformedFrame } from './errors.ts';
import type { HeaderReader } from './header-reader.ts';
import { type HeaderWriter, namePattern } from './header-writer.ts';

/**
 * What replicas say to each other before they are members together: founding a cluster, and joining one.
 * Lists are flat arrays of texts, two for each item; metadata goes by key, so that equal ones are equal bytes.
 */

/** Members of a list; no cluster is larger. */
export const bootstrapMembersMax = 64;
export const metadataKeysMax = 32;
/** Characters of an address, and of a key or value of metadata. */
export const memberTextMax = 255;

/** Writes the fields after the kind. @throws MalformedFrame when one breaks a rule of the format. */
export function writeMembershipMessage(
  message: JoinRequest | JoinAnswer | BootstrapQuery | BootstrapAnswer,
  writer: HeaderWriter,
): void {
  switch (message.kind) {
    case 'JoinRequest':
      checkAddress(message.address);
      writer.checkedText(message.address);
      writeMetadata(message.metadata, writer);
      writer.integer('lastLogIndex', message.lastLogIndex);
      return;
    case 'JoinAnswer':
      writer.integer('answer', outcomes.indexOf(message.answer)).integer('boot', message.boot, 1);
      writeMembers(message.leader === null ? null : [message.leader], writer);
      return;
    case 'BootstrapQuery':
      writeMembers(message.members, writer);
      return;
    case 'BootstrapAnswer':
      writer.flag(message.empty);
      writeMembers(message.otherMembers, writer);
      return;
  }
}

export function readJoinRequest(reader: HeaderReader): JoinRequest {
  return {
    kind: 'JoinRequest',
    address: readAddress(reader),
    metadata: readMetadata(reader),
    lastLogIndex: reader.integer('lastLogIndex'),
  };
}

export function readJoinAnswer(reader: HeaderReader): JoinAnswer {
  const place = reader.integer('answer');
  const answer = outcomes[place];
  if (answer === undefined) throw new MalformedFrame(`unknown answer ${place} to a JoinRequest`);
  const boot = reader.integer('boot', 1);
  const leaders = reader.nothing() ? null : readMembers(reader);
  if (leaders !== null && leaders.length !== 1) throw new MalformedFrame(`${leaders.length} leaders`);
  return { kind: 'JoinAnswer', answer, boot, leader: leaders?.[0] ?? null };
}

export function readBootstrapQuery(reader: HeaderReader): BootstrapQuery {
  return { kind: 'BootstrapQuery', members: readMembers(reader) };
}

export function readBootstrapAnswer(reader: HeaderReader): BootstrapAnswer {
  const empty = reader.flag('empty');
  return { kind: 'BootstrapAnswer', empty, otherMembers: reader.nothing() ? null : readMembers(reader) };
}

/** An outcome is written as its place here. A place is never given to another outcome. */
const outcomes: readonly JoinOutcome[] = [
  'ask-leader',
  'listed',
  'replacing',
  'waiting-for-operator',
  'waiting-for-change',
  'member-is-alive',
  'retired',
  'boot-went-back',
  'other-cluster',
];

function writeMembers(members: readonly BootstrapMember[] | null, writer: HeaderWriter): void {
  if (members === null) {
    writer.nothing();
    return;
  }
  checkCount(2 * members.length, 2 * bootstrapMembersMax, 'members');
  for (const { id, address } of members) {
    if (!namePattern.test(id)) throw new MalformedFrame(`member id ${JSON.stringify(id)} is no name`);
    checkAddress(address);
  }
  writer.texts(members.flatMap(({ id, address }) => [id, address]));
}

function readMembers(reader: HeaderReader): BootstrapMember[] {
  const texts = reader.arrayLength('members');
  checkCount(texts, 2 * bootstrapMembersMax, 'members');
  const members: BootstrapMember[] = [];
  for (let i = 0; i < texts; i += 2) {
    members.push({ id: reader.name('member id'), address: readAddress(reader) });
  }
  return members;
}

function readAddress(reader: HeaderReader): string {
  const address = reader.text('address');
  checkAddress(address);
  return address;
}

function checkAddress(address: string): void {
  if (!addressPattern.test(address)) {
    throw new MalformedFrame(
      `the address ${JSON.stringify(address)} is not 1 to ${memberTextMax} characters of printable ASCII`,
    );
  }
}

function writeMetadata(metadata: Metadata, writer: HeaderWriter): void {
  const pairs = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  checkCount(2 * pairs.length, 2 * metadataKeysMax, 'metadata');
  for (const text of pairs.flat()) checkMetadataText(text);
  writer.texts(pairs.flat());
}

function readMetadata(reader: HeaderReader): Metadata {
  const texts = reader.arrayLength('metadata');
  checkCount(texts, 2 * metadataKeysMax, 'metadata');
  const pairs: [string, string][] = [];
  let last: string | null = null;
  for (let i = 0; i < texts; i += 2) {
    const key = reader.unicode('metadata key');
    const value = reader.unicode('metadata value');
    checkMetadataText(key);
    checkMetadataText(value);
    if (last !== null && key <= last) throw new MalformedFrame('metadata keys that are not in order');
    pairs.push([key, value]);
    last = key;
  }
  return Object.fromEntries(pairs);
}

function checkMetadataText(text: string): void {
  if (text.length > memberTextMax) {
    throw new MalformedFrame(`metadata of ${text.length} characters; at most ${memberTextMax}`);
  }
  if (loneSurrogate.test(text)) throw new MalformedFrame('metadata that is no Unicode');
}

function checkCount(texts: number, max: number, what: string): void {
  if (texts % 2 !== 0) throw new MalformedFrame(`${what} of ${texts} texts, not of 2 each`);
  if (texts > max) throw new MalformedFrame(`${what}: ${texts / 2}; at most ${max / 2}`);
}

const addressPattern = /^[ -~]{1,255}$/;
const loneSurrogate = /\p{Surrogate}/u;
