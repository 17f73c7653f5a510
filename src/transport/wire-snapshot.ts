import type { Configuration } from '../raft/configuration.ts';
import type { Term } from '../raft/entry.ts';
import { MalformedEntry, parseConfigurationValue, plainConfiguration } from '../raft/entry-codec.ts';
import type { InstallSnapshot } from '../raft/message.ts';
import { MalformedFrame } from './errors.ts';
import type { HeaderReader } from './header-reader.ts';
import type { HeaderWriter } from './header-writer.ts';

/**
 * One chunk of a snapshot. After the header comes its configuration, as JSON of as many bytes as the header
 * says, and then the chunk's data, which is all the rest.
 */

/**
 * Writes the fields after the term.
 *
 * @returns the configuration's bytes and the data.
 * @throws MalformedFrame when the configuration is none.
 */
export function writeSnapshotChunk(message: InstallSnapshot, writer: HeaderWriter): Uint8Array[] {
  const { snapshot, offset, data } = message;
  const configuration = encoder.encode(JSON.stringify(plainConfiguration(snapshot.configuration)));
  parseConfiguration(configuration);
  writer
    .integer('snapshot index', snapshot.index, 1)
    .integer('snapshot term', snapshot.term, 1)
    .integer('snapshot size', snapshot.size)
    .digest('snapshot digest', snapshot.digest)
    .integer('offset', offset)
    .integer('configuration bytes', configuration.length);
  return [configuration, data];
}

/**
 * Reads the fields after the term, which end the header, and what follows it. The data is a view of `bytes`.
 *
 * @throws MalformedFrame
 */
export function readSnapshotChunk(term: Term, reader: HeaderReader, bytes: Uint8Array): InstallSnapshot {
  const index = reader.integer('snapshot index', 1);
  const snapshotTerm = reader.integer('snapshot term', 1);
  const size = reader.integer('snapshot size');
  const digest = reader.digest('snapshot digest');
  const offset = reader.integer('offset');
  const configurationBytes = reader.integer('configuration bytes');
  const held = bytes.length - reader.position;
  if (configurationBytes > held) {
    throw new MalformedFrame(`a configuration of ${configurationBytes} bytes in ${held}`);
  }
  const dataAt = reader.position + configurationBytes;
  const configuration = parseConfiguration(bytes.subarray(reader.position, dataAt));
  return {
    kind: 'InstallSnapshot',
    term,
    snapshot: { index, term: snapshotTerm, configuration, size, digest },
    offset,
    data: bytes.subarray(dataAt),
  };
}

/** The rules between fields that hold for every honest sender. */
export function checkChunk({ term, snapshot, offset, data }: InstallSnapshot): void {
  if (snapshot.term > term) {
    throw new MalformedFrame(`a snapshot of term ${snapshot.term} in a message of term ${term}`);
  }
  if (!(offset + data.length <= snapshot.size)) {
    throw new MalformedFrame(`bytes ${offset} to ${offset + data.length} of a snapshot of ${snapshot.size}`);
  }
}

function parseConfiguration(bytes: Uint8Array): Configuration {
  try {
    return parseConfigurationValue(JSON.parse(decoder.decode(bytes)), 'configuration');
  } catch (cause) {
    // Whatever the language itself throws at such bytes is no error of this side.
    const why = cause instanceof MalformedEntry ? cause.reason : 'no JSON in UTF-8';
    throw new MalformedFrame(`the snapshot's configuration: ${why}`, { cause });
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
