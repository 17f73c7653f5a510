import type { Envelope } from '../raft/message.ts';
import { MalformedFrame } from './errors.ts';
import { HeaderReader } from './header-reader.ts';
import { HeaderWriter } from './header-writer.ts';
import { readMessage, writeMessage } from './wire-message.ts';

/**
 * The bytes of an envelope: one msgpack array as header (wire version, who to whom, message kind, the
 * fields of that kind by position), and after it what is large, raw and end to end: the payloads of the
 * entries, or a snapshot's configuration and data.
 * One envelope has one encoding. The same facts are checked when encoding and when decoding.
 */

/** Told in the handshake and written in every envelope. Any change of the format is another version. */
export const protocolVersion = 2;

/**
 * The envelope as bytes of its own, sharing nothing with it.
 *
 * @param headroomBytes bytes left unset before the first one, for a frame's head. Default 0.
 * @throws MalformedFrame when the envelope breaks a rule of the format.
 */
export function encodeEnvelope(envelope: Envelope, headroomBytes = 0): Uint8Array {
  const { clusterId, group, from, to } = envelope;
  const writer = new HeaderWriter()
    .integer('wire version', protocolVersion)
    .name('group', group)
    .hexIdOrNull('clusterId', clusterId)
    .name('from.id', from.id)
    .hexId('from.incarnation', from.incarnation)
    .integer('from.boot', from.boot, 1)
    .name('to.id', to.id)
    .hexIdOrNull('to.incarnation', to.incarnation);
  const payloads = writeMessage(envelope.message, writer);
  const header = writer.pack();

  let length = headroomBytes + header.length;
  for (const payload of payloads) length += payload.length;
  const bytes = Buffer.allocUnsafe(length);
  bytes.set(header, headroomBytes);
  let offset = headroomBytes + header.length;
  for (const payload of payloads) {
    bytes.set(payload, offset);
    offset += payload.length;
  }
  return bytes;
}

/**
 * The envelope that `bytes` hold. Payloads are views of `bytes`, which must not change afterwards.
 *
 * @throws MalformedFrame, and nothing else, when they hold none; `reason` says why.
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  // Payloads are plain Uint8Arrays wherever the bytes came from, so envelopes compare and clone alike.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const reader = new HeaderReader(plain);
  const valueCount = reader.arrayLength('header');
  const version = reader.integer('wire version');
  if (version !== protocolVersion) {
    throw new MalformedFrame(`wire version ${version}; this side speaks ${protocolVersion}`);
  }
  const group = reader.name('group');
  const clusterId = reader.hexIdOrNull('clusterId');
  const from = {
    id: reader.name('from.id'),
    incarnation: reader.hexId('from.incarnation'),
    boot: reader.integer('from.boot', 1),
  };
  const to = { id: reader.name('to.id'), incarnation: reader.hexIdOrNull('to.incarnation') };
  const message = readMessage(reader, valueCount - ENVELOPE_VALUES, plain);
  return { clusterId, group, from, to, message };
}

/** Header values before those of the message. */
const ENVELOPE_VALUES = 8;
