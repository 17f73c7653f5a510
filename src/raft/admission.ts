import { bootOf } from './boots.ts';
import type { DropReason } from './event.ts';
import type { ClusterId, RequestId } from './identity.ts';
import { sameMember } from './identity.ts';
import type {
  AppendEntries,
  Envelope,
  InstallSnapshot,
  JoinRequest,
  Message,
  ProvenFreshness,
  RaftMessage,
} from './message.ts';
import type { RaftState } from './state.ts';

/** Why an envelope is not acted upon, whatever the present role and term; null to go on with it. */
export function refusal(state: RaftState, envelope: Envelope): DropReason | null {
  const { from, to, message } = envelope;
  if (!isRaftMessage(message)) return 'unexpected-in-role';
  if (state.clusterId === null || envelope.clusterId !== state.clusterId) return 'wrong-cluster';
  if (envelope.group !== state.group) return 'wrong-group';
  if (to.id !== state.self.id || to.incarnation !== state.self.incarnation) return 'not-for-this-incarnation';
  if (sameMember(from, state.self) || !isCount(from.boot) || !isSound(message, state.clusterId))
    return 'malformed';
  if (from.boot < (bootOf(state, from) ?? 0)) return 'stale-boot';
  return null;
}

/**
 * Entering a cluster is the embedder's, as far as it takes place before there is anything to agree upon; so is mending
 * what its disk lost.
 */
export function isRaftMessage(message: Message): message is RaftMessage {
  switch (message.kind) {
    case 'BootstrapQuery':
    case 'BootstrapAnswer':
    case 'JoinRequest':
    case 'JoinAnswer':
    case 'RepairRequest':
    case 'RepairAnswer':
      return false;
    default:
      return true;
  }
}

/** As `refusal`, for one who may be of no cluster yet, and need not know which incarnation it speaks to. */
export function joinRefusal(state: RaftState, envelope: Envelope, request: JoinRequest): DropReason | null {
  const { from, to } = envelope;
  if (state.clusterId === null) return 'wrong-cluster';
  if (envelope.group !== state.group) return 'wrong-group';
  const isForThis = to.incarnation === null || to.incarnation === state.self.incarnation;
  if (to.id !== state.self.id || !isForThis) return 'not-for-this-incarnation';
  return !sameMember(from, state.self) && isCount(from.boot) && isCount(request.lastLogIndex)
    ? null
    : 'malformed';
}

/** Whether the numbers of a message can be those of a correct replica. */
function isSound(message: RaftMessage, clusterId: ClusterId): boolean {
  if (!isCount(message.term)) return false;
  switch (message.kind) {
    case 'RequestPreVote':
    case 'RequestVote':
      return message.term > 0 && isPosition(message.lastLogIndex, message.lastLogTerm);
    case 'TimeoutNow':
      return message.term > 0;
    case 'ReadIndexRequest':
      return message.term > 0 && isRequestId(message.readId);
    case 'ReadIndexResponse':
      return message.term > 0 && isRequestId(message.readId) && isCount(message.index);
    case 'PreVoteResponse':
    case 'VoteResponse':
      return true;
    case 'AppendEntries':
      return message.term > 0 && isCount(message.leaderCommit) && isSoundAppend(message, clusterId);
    case 'AppendEntriesResponse':
      return message.accepted
        ? isCount(message.matchIndex) && isCount(message.verifiedIndex - message.matchIndex)
        : isCount(message.rejectedIndex) && isPosition(message.hintIndex, message.hintTerm);
    case 'Heartbeat':
      return (
        message.term > 0 &&
        message.round > 0 &&
        isCount(message.round) &&
        isCount(message.leaderCommit) &&
        (message.freshness === null || isSoundFreshness(message.freshness))
      );
    case 'HeartbeatResponse':
      return (
        isCount(message.round) &&
        isCount(message.matchIndex) &&
        isCount(message.verifiedIndex - message.matchIndex) &&
        isMoment(message.promiseMs) &&
        isMoment(message.stamp)
      );
    case 'InstallSnapshot':
      return message.term > 0 && isSoundChunk(message);
    case 'InstallSnapshotResponse':
      return (
        message.snapshotIndex > 0 &&
        message.snapshotTerm > 0 &&
        isPosition(message.snapshotIndex, message.snapshotTerm) &&
        isCount(message.offset)
      );
    default:
      return false;
  }
}

/** Of a snapshot of committed entries, so not of a later term than the leader's; bytes only from inside it. */
function isSoundChunk({ term, snapshot, offset, data }: InstallSnapshot): boolean {
  return (
    snapshot.index > 0 &&
    isPosition(snapshot.index, snapshot.term) &&
    snapshot.term <= term &&
    isCount(snapshot.size) &&
    isCount(offset) &&
    offset + data.length <= snapshot.size &&
    // Only the question how far the receiver is comes without bytes.
    (data.length > 0 || offset === snapshot.size)
  );
}

/** Entries follow one another, and terms never fall along a log nor pass the leader's. */
function isSoundAppend(message: AppendEntries, clusterId: ClusterId): boolean {
  const { prevLogIndex, prevLogTerm, entries, term } = message;
  if (!isPosition(prevLogIndex, prevLogTerm)) return false;
  let index = prevLogIndex;
  let entryTerm = prevLogTerm;
  for (const entry of entries) {
    index += 1;
    if (entry.index !== index || !(entry.term >= entryTerm)) return false;
    if (entry.kind === 'configuration' && entry.clusterId !== clusterId) return false;
    entryTerm = entry.term;
  }
  return entryTerm <= term && Number.isSafeInteger(entryTerm);
}

function isSoundFreshness({ boot, stamp, index }: ProvenFreshness): boolean {
  return boot > 0 && isCount(boot) && isMoment(stamp) && isCount(index);
}

function isRequestId({ boot, sequence }: RequestId): boolean {
  return isCount(boot) && isCount(sequence);
}

/** An index with the term of its entry: only "before the first entry" has index 0 and term 0. */
function isPosition(index: number, term: number): boolean {
  return isCount(index) && isCount(term) && (index === 0) === (term === 0);
}

/** Milliseconds, perhaps with a fraction. One without end would be a promise without end. */
function isMoment(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
