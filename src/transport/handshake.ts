import { type NodeId, sameMember } from '../raft/identity.ts';
import type { HandshakeRefusal, TransportIdentity } from './contract.ts';
import { MalformedFrame } from './errors.ts';
import { HeaderReader } from './header-reader.ts';
import { HeaderWriter } from './header-writer.ts';
import { protocolVersion } from './wire.ts';

/**
 * The first frame each way of a connection: the dialler's hello names the version, the cluster, itself
 * and whom it means to reach; the answer is a welcome, which names the other side, or a refusal with its
 * reason. In every version a handshake begins with the magic word and the version, so that versions
 * which understand nothing else of each other still part with a clear word.
 */

export interface Hello {
  readonly sender: TransportIdentity;
  /** Whom the dialler means to reach. */
  readonly receiver: NodeId;
}

export interface Refusal {
  readonly reason: HandshakeRefusal;
  readonly message: string;
}

export interface OtherVersion {
  readonly otherVersion: number;
}

/** Bytes of the largest handshake body. */
export const handshakeBytesMax = 1024;

export function encodeHello(hello: Hello): Uint8Array {
  const writer = beginning();
  writeIdentity(writer, hello.sender);
  return writer.name('receiver', hello.receiver).pack();
}

/** @throws MalformedFrame when `body` is no handshake. */
export function decodeHello(body: Uint8Array): Hello | OtherVersion {
  const reader = new HeaderReader(body);
  const count = reader.arrayLength('handshake');
  const version = readBeginning(reader);
  if (version !== protocolVersion) return { otherVersion: version };
  checkCount('hello', count, 7);
  const hello: Hello = { sender: readIdentity(reader), receiver: reader.name('receiver') };
  checkEnd(reader, body);
  return hello;
}

/** What the acceptor holds against the dialler; null when it is welcome. */
export function judgeHello(hello: Hello | OtherVersion, local: TransportIdentity): Refusal | null {
  if ('otherVersion' in hello) return otherVersion(hello.otherVersion);
  const { sender, receiver } = hello;
  if (receiver !== local.id) {
    return {
      reason: 'other-receiver',
      message: `${sender.id} looks for ${receiver}, but this is ${local.id}: check the addresses of ${receiver} and ${local.id}`,
    };
  }
  // Another incarnation of one's own id is another server: one may be taking the other's place.
  if (sameMember(sender, local)) {
    return {
      reason: 'other-receiver',
      message: `the dialler calls itself ${local.id}, incarnation ${local.incarnation}, as this replica does: check the address of ${local.id}, and give every replica a data directory of its own`,
    };
  }
  return judgeCluster(sender, local);
}

export function encodeWelcome(local: TransportIdentity): Uint8Array {
  const writer = beginning().text('welcome');
  writeIdentity(writer, local);
  return writer.pack();
}

export function encodeRefusal(refusal: Refusal): Uint8Array {
  return beginning().text('refused').text(refusal.reason).text(refusal.message).pack();
}

/**
 * What the dialler makes of the answer: null when it is a welcome from whom it meant to reach.
 *
 * @throws MalformedFrame when `body` is no handshake.
 */
export function judgeAnswer(body: Uint8Array, receiver: NodeId, local: TransportIdentity): Refusal | null {
  const reader = new HeaderReader(body);
  const count = reader.arrayLength('handshake');
  const version = readBeginning(reader);
  if (version !== protocolVersion) return otherVersion(version);
  const answer = reader.text('answer');
  if (answer === 'refused') {
    checkCount('refusal', count, 5);
    const refusal = { reason: readReason(reader), message: reader.text('refusal message') };
    checkEnd(reader, body);
    return refusal;
  }
  if (answer !== 'welcome') throw new MalformedFrame(`the answer ${JSON.stringify(answer)} to a hello`);
  checkCount('welcome', count, 7);
  const other = readIdentity(reader);
  checkEnd(reader, body);
  if (other.id !== receiver) {
    return {
      reason: 'other-receiver',
      message: `expected ${receiver} there, but ${other.id} answered: check the address of ${receiver}`,
    };
  }
  return judgeCluster(other, local);
}

/** Before bootstrap a replica belongs to no cluster yet, so null is no contradiction. */
function judgeCluster(other: TransportIdentity, local: TransportIdentity): Refusal | null {
  if (other.clusterId === null || local.clusterId === null || other.clusterId === local.clusterId) {
    return null;
  }
  return {
    reason: 'other-cluster',
    message: `${other.id} belongs to cluster ${other.clusterId}, but ${local.id} to ${local.clusterId}: check addresses and data directories`,
  };
}

function otherVersion(version: number): Refusal {
  return {
    reason: 'other-version',
    message: `the other side speaks protocol version ${version}, this one ${protocolVersion}: run releases of kontiki that share a version`,
  };
}

const MAGIC = 'kontiki';

const reasons: readonly HandshakeRefusal[] = [
  'other-cluster',
  'other-version',
  'other-receiver',
  'not-kontiki',
  'timeout',
  'overloaded',
];

function beginning(): HeaderWriter {
  return new HeaderWriter().text(MAGIC).integer('protocol version', protocolVersion);
}

function readBeginning(reader: HeaderReader): number {
  if (reader.text('magic word') !== MAGIC) throw new MalformedFrame(`does not begin with "${MAGIC}"`);
  return reader.integer('protocol version', 1);
}

function writeIdentity(writer: HeaderWriter, identity: TransportIdentity): void {
  writer
    .hexIdOrNull('clusterId', identity.clusterId)
    .name('id', identity.id)
    .hexId('incarnation', identity.incarnation)
    .integer('boot', identity.boot, 1);
}

function readIdentity(reader: HeaderReader): TransportIdentity {
  const clusterId = reader.hexIdOrNull('clusterId');
  return {
    clusterId,
    id: reader.name('id'),
    incarnation: reader.hexId('incarnation'),
    boot: reader.integer('boot', 1),
  };
}

function readReason(reader: HeaderReader): HandshakeRefusal {
  const text = reader.text('refusal reason');
  const reason = reasons.find((known) => known === text);
  if (reason === undefined) throw new MalformedFrame(`unknown reason ${JSON.stringify(text)} of a refusal`);
  return reason;
}

function checkCount(what: string, count: number, expected: number): void {
  if (count !== expected) throw new MalformedFrame(`a ${what} of ${count} values, not ${expected}`);
}

function checkEnd(reader: HeaderReader, body: Uint8Array): void {
  if (reader.position !== body.length) {
    throw new MalformedFrame(`${body.length - reader.position} bytes after a handshake`);
  }
}
