import type { Message, ProvenFreshness, RequestPreVote } from '../raft/message.ts';
import { MalformedFrame } from './errors.ts';
import type { HeaderReader } from './header-reader.ts';
import type { HeaderWriter } from './header-writer.ts';
import { readEntries, writeEntries } from './wire-entries.ts';
import {
  readBootstrapAnswer,
  readBootstrapQuery,
  readJoinAnswer,
  readJoinRequest,
  writeMembershipMessage,
} from './wire-membership.ts';
import {
  checkRepairRequest,
  readRepairEntries,
  readRepairRefused,
  readRepairRequest,
  writeRepairEntries,
  writeRepairRefused,
  writeRepairRequest,
} from './wire-repair.ts';
import { checkChunk, readSnapshotChunk, writeSnapshotChunk } from './wire-snapshot.ts';

/** Kinds by number. A number is never given to another kind. */
const Code = {
  RequestPreVote: 1,
  PreVoteResponse: 2,
  RequestVote: 3,
  VoteResponse: 4,
  AppendEntries: 5,
  AppendAccepted: 6,
  AppendRejected: 7,
  Heartbeat: 8,
  HeartbeatResponse: 9,
  BootstrapQuery: 10,
  BootstrapAnswer: 11,
  InstallSnapshot: 12,
  InstallSnapshotResponse: 13,
  JoinRequest: 14,
  JoinAnswer: 15,
  TimeoutNow: 16,
  ReadIndexRequest: 17,
  ReadIndexResponse: 18,
  RepairRequest: 19,
  RepairEntries: 20,
  RepairRefused: 21,
} as const;

/**
 * Writes the message's number and fields into the header.
 *
 * @returns the payloads that follow the header.
 * @throws MalformedFrame when the message breaks a rule of the format.
 */
export function writeMessage(message: Message, writer: HeaderWriter): readonly Uint8Array[] {
  checkMessage(message);
  switch (message.kind) {
    case 'RequestPreVote':
    case 'RequestVote':
      writer
        .integer('kind', Code[message.kind])
        .integer('term', message.term, 1)
        .integer('lastLogIndex', message.lastLogIndex)
        .integer('lastLogTerm', message.lastLogTerm);
      if (message.kind === 'RequestVote') writer.flag(message.leadershipTransfer);
      return noPayloads;
    case 'PreVoteResponse':
    case 'VoteResponse':
      writer.integer('kind', Code[message.kind]).integer('term', message.term).flag(message.granted);
      return noPayloads;
    case 'AppendEntries':
      writer
        .integer('kind', Code.AppendEntries)
        .integer('term', message.term, 1)
        .integer('prevLogIndex', message.prevLogIndex)
        .integer('prevLogTerm', message.prevLogTerm)
        .integer('leaderCommit', message.leaderCommit);
      return writeEntries(message.entries, message, writer);
    case 'AppendEntriesResponse':
      if (message.accepted) {
        writer
          .integer('kind', Code.AppendAccepted)
          .integer('term', message.term, 1)
          .integer('matchIndex', message.matchIndex)
          .integer('verifiedIndex', message.verifiedIndex);
      } else {
        writer
          .integer('kind', Code.AppendRejected)
          .integer('term', message.term, 1)
          .integer('rejectedIndex', message.rejectedIndex)
          .integer('hintIndex', message.hintIndex)
          .integer('hintTerm', message.hintTerm)
          .flag(message.incomplete ?? false);
      }
      return noPayloads;
    case 'Heartbeat':
      writer
        .integer('kind', Code.Heartbeat)
        .integer('term', message.term, 1)
        .integer('round', message.round, 1)
        .integer('leaderCommit', message.leaderCommit);
      writeFreshness(message.freshness, writer);
      return noPayloads;
    case 'HeartbeatResponse':
      writer
        .integer('kind', Code.HeartbeatResponse)
        .integer('term', message.term, 1)
        .integer('round', message.round)
        .integer('matchIndex', message.matchIndex)
        .integer('verifiedIndex', message.verifiedIndex)
        .duration('promiseMs', message.promiseMs)
        .duration('stamp', message.stamp)
        .flag(message.nearlyFull ?? false);
      return noPayloads;
    case 'InstallSnapshot':
      writer.integer('kind', Code.InstallSnapshot).integer('term', message.term, 1);
      return writeSnapshotChunk(message, writer);
    case 'InstallSnapshotResponse':
      writer
        .integer('kind', Code.InstallSnapshotResponse)
        .integer('term', message.term, 1)
        .integer('snapshotIndex', message.snapshotIndex, 1)
        .integer('snapshotTerm', message.snapshotTerm, 1)
        .integer('offset', message.offset);
      return noPayloads;
    case 'TimeoutNow':
      writer.integer('kind', Code.TimeoutNow).integer('term', message.term, 1);
      return noPayloads;
    case 'ReadIndexRequest':
      writer
        .integer('kind', Code.ReadIndexRequest)
        .integer('term', message.term, 1)
        .requestId(message.readId)
        .flag(message.lease);
      return noPayloads;
    case 'ReadIndexResponse':
      writer
        .integer('kind', Code.ReadIndexResponse)
        .integer('term', message.term, 1)
        .requestId(message.readId)
        .integer('index', message.index);
      return noPayloads;
    case 'JoinRequest':
    case 'JoinAnswer':
    case 'BootstrapQuery':
    case 'BootstrapAnswer':
      writeMembershipMessage(message, writer.integer('kind', Code[message.kind]));
      return noPayloads;
    case 'RepairRequest':
      writeRepairRequest(message, writer.integer('kind', Code.RepairRequest));
      return noPayloads;
    case 'RepairAnswer':
      if (message.held) return writeRepairEntries(message, writer.integer('kind', Code.RepairEntries));
      writeRepairRefused(message, writer.integer('kind', Code.RepairRefused));
      return noPayloads;
  }
}

/**
 * Reads the message: the `valueCount` header values left, and all that follows them in `bytes`.
 *
 * @throws MalformedFrame
 */
export function readMessage(reader: HeaderReader, valueCount: number, bytes: Uint8Array): Message {
  const code = reader.integer('kind');
  const expected = VALUES[code];
  if (expected === undefined) throw new MalformedFrame(`unknown message kind ${code}`);
  if (valueCount !== expected) {
    throw new MalformedFrame(`kind ${code} with ${valueCount} values, not ${expected}`);
  }
  const message = readFields(code, reader, bytes);
  checkMessage(message);
  if (!WITH_PAYLOADS.includes(code) && reader.position !== bytes.length) {
    throw new MalformedFrame(`${bytes.length - reader.position} bytes after a ${message.kind}`);
  }
  return message;
}

/** Header values of each kind, its number included. */
const VALUES: Readonly<Record<number, number>> = {
  [Code.RequestPreVote]: 4,
  [Code.PreVoteResponse]: 3,
  [Code.RequestVote]: 5,
  [Code.VoteResponse]: 3,
  [Code.AppendEntries]: 7,
  [Code.AppendAccepted]: 4,
  [Code.AppendRejected]: 6,
  [Code.Heartbeat]: 7,
  [Code.HeartbeatResponse]: 8,
  [Code.BootstrapQuery]: 2,
  [Code.BootstrapAnswer]: 3,
  [Code.InstallSnapshot]: 8,
  [Code.InstallSnapshotResponse]: 5,
  [Code.JoinRequest]: 4,
  [Code.JoinAnswer]: 4,
  [Code.TimeoutNow]: 2,
  [Code.ReadIndexRequest]: 5,
  [Code.ReadIndexResponse]: 5,
  [Code.RepairRequest]: 8,
  [Code.RepairEntries]: 6,
  [Code.RepairRefused]: 4,
};

const WITH_PAYLOADS: readonly number[] = [Code.AppendEntries, Code.InstallSnapshot, Code.RepairEntries];

// The properties below are evaluated, so the values are read, in the order they are written.
function readFields(code: number, reader: HeaderReader, bytes: Uint8Array): Message {
  switch (code) {
    case Code.RequestPreVote:
      return { kind: 'RequestPreVote', ...readCampaign(reader) };
    case Code.RequestVote:
      return {
        kind: 'RequestVote',
        ...readCampaign(reader),
        leadershipTransfer: reader.flag('leadershipTransfer'),
      };
    case Code.PreVoteResponse:
    case Code.VoteResponse:
      return {
        kind: code === Code.VoteResponse ? 'VoteResponse' : 'PreVoteResponse',
        term: reader.integer('term'),
        granted: reader.flag('granted'),
      };
    case Code.AppendEntries: {
      const term = reader.integer('term', 1);
      const prevLogIndex = reader.integer('prevLogIndex');
      const prevLogTerm = reader.integer('prevLogTerm');
      const leaderCommit = reader.integer('leaderCommit');
      const entries = readEntries({ term, prevLogIndex, prevLogTerm }, reader, bytes);
      return { kind: 'AppendEntries', term, prevLogIndex, prevLogTerm, entries, leaderCommit };
    }
    case Code.AppendAccepted:
      return {
        kind: 'AppendEntriesResponse',
        accepted: true,
        term: reader.integer('term', 1),
        matchIndex: reader.integer('matchIndex'),
        verifiedIndex: reader.integer('verifiedIndex'),
      };
    case Code.AppendRejected:
      return {
        kind: 'AppendEntriesResponse',
        accepted: false,
        term: reader.integer('term', 1),
        rejectedIndex: reader.integer('rejectedIndex'),
        hintIndex: reader.integer('hintIndex'),
        hintTerm: reader.integer('hintTerm'),
        ...(reader.flag('incomplete') ? { incomplete: true } : {}),
      };
    case Code.Heartbeat:
      return {
        kind: 'Heartbeat',
        term: reader.integer('term', 1),
        round: reader.integer('round', 1),
        leaderCommit: reader.integer('leaderCommit'),
        freshness: readFreshness(reader),
      };
    case Code.HeartbeatResponse:
      return {
        kind: 'HeartbeatResponse',
        term: reader.integer('term', 1),
        round: reader.integer('round'),
        matchIndex: reader.integer('matchIndex'),
        verifiedIndex: reader.integer('verifiedIndex'),
        promiseMs: reader.duration('promiseMs'),
        stamp: reader.duration('stamp'),
        ...(reader.flag('nearlyFull') ? { nearlyFull: true } : {}),
      };
    case Code.InstallSnapshot:
      return readSnapshotChunk(reader.integer('term', 1), reader, bytes);
    case Code.InstallSnapshotResponse:
      return {
        kind: 'InstallSnapshotResponse',
        term: reader.integer('term', 1),
        snapshotIndex: reader.integer('snapshotIndex', 1),
        snapshotTerm: reader.integer('snapshotTerm', 1),
        offset: reader.integer('offset'),
      };
    case Code.TimeoutNow:
      return { kind: 'TimeoutNow', term: reader.integer('term', 1) };
    case Code.ReadIndexRequest:
      return {
        kind: 'ReadIndexRequest',
        term: reader.integer('term', 1),
        readId: reader.requestId(),
        lease: reader.flag('lease'),
      };
    case Code.ReadIndexResponse:
      return {
        kind: 'ReadIndexResponse',
        term: reader.integer('term', 1),
        readId: reader.requestId(),
        index: reader.integer('index'),
      };
    case Code.JoinRequest:
      return readJoinRequest(reader);
    case Code.JoinAnswer:
      return readJoinAnswer(reader);
    case Code.BootstrapQuery:
      return readBootstrapQuery(reader);
    case Code.BootstrapAnswer:
      return readBootstrapAnswer(reader);
    case Code.RepairRequest:
      return readRepairRequest(reader);
    case Code.RepairEntries:
      return readRepairEntries(reader, bytes);
    case Code.RepairRefused:
      return readRepairRefused(reader);
    default:
      throw new MalformedFrame(`unknown message kind ${code}`);
  }
}

function readCampaign(reader: HeaderReader): Pick<RequestPreVote, 'term' | 'lastLogIndex' | 'lastLogTerm'> {
  return {
    term: reader.integer('term', 1),
    lastLogIndex: reader.integer('lastLogIndex'),
    lastLogTerm: reader.integer('lastLogTerm'),
  };
}

/** Boot 0 stands for no news: a boot is 1 or more. */
function writeFreshness(freshness: ProvenFreshness | null, writer: HeaderWriter): void {
  const { boot, stamp, index } = freshness ?? { boot: 0, stamp: 0, index: 0 };
  writer
    .integer('boot', boot, freshness === null ? 0 : 1)
    .duration('stamp', stamp)
    .integer('index', index);
}

function readFreshness(reader: HeaderReader): ProvenFreshness | null {
  const freshness = {
    boot: reader.integer('boot'),
    stamp: reader.duration('stamp'),
    index: reader.integer('index'),
  };
  if (freshness.boot > 0) return freshness;
  if (freshness.stamp > 0 || freshness.index > 0) throw new MalformedFrame('freshness of boot 0');
  return null;
}

/** The rules between fields that hold for every honest sender, whatever its state. */
function checkMessage(message: Message): void {
  switch (message.kind) {
    case 'RequestPreVote':
    case 'RequestVote':
      checkPosition('lastLog', message.lastLogIndex, message.lastLogTerm, message.term);
      return;
    case 'AppendEntries':
      checkPosition('prevLog', message.prevLogIndex, message.prevLogTerm, message.term);
      return;
    case 'AppendEntriesResponse':
      if (message.accepted) checkMatch(message);
      return;
    case 'HeartbeatResponse':
      checkMatch(message);
      return;
    case 'InstallSnapshot':
      checkChunk(message);
      return;
    case 'InstallSnapshotResponse':
      checkTermOf('snapshot', message.snapshotTerm, message.term);
      return;
    case 'RepairRequest':
      checkRepairRequest(message);
      return;
    default:
      return;
  }
}

/** Only index 0 has term 0, and no log holds a term beyond its owner's. */
function checkPosition(what: string, index: number, logTerm: number, term: number): void {
  if ((index === 0) !== (logTerm === 0)) {
    throw new MalformedFrame(`${what}Index ${index} with ${what}Term ${logTerm}`);
  }
  checkTermOf(what, logTerm, term);
}

function checkTermOf(what: string, logTerm: number, term: number): void {
  if (logTerm > term) throw new MalformedFrame(`${what}Term ${logTerm} is beyond term ${term}`);
}

/** Nothing is promised that was not verified. */
function checkMatch(said: { readonly matchIndex: number; readonly verifiedIndex: number }): void {
  if (said.matchIndex > said.verifiedIndex) {
    throw new MalformedFrame(`matchIndex ${said.matchIndex} is beyond verifiedIndex ${said.verifiedIndex}`);
  }
}

const noPayloads: readonly Uint8Array[] = [];
