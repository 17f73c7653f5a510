import type { MembershipResult } from './active-change.ts';
import { abortMembership, advanceMembership, proposeMembership } from './active-change.ts';
import { isRaftMessage, joinRefusal, refusal } from './admission.ts';
import { sayWhatMayBeSaid } from './answers.ts';
import {
  handleAppendEntries,
  handleHeartbeat,
  refuseStaleAppend,
  refuseStaleHeartbeat,
} from './append-entries.ts';
import { issueApply, onApplied, onRestored } from './applying.ts';
import { bootWentBack, noteBoot, tellBootWentBack } from './boots.ts';
import { foundCluster, joinCluster } from './bootstrap.ts';
import { onQuorumTimeout } from './check-quorum.ts';
import { compact, snapshotTaken } from './compaction.ts';
import type { Configuration, ConfigurationId } from './configuration.ts';
import type { Context } from './context.ts';
import { drop, send } from './context.ts';
import { abandonRepair, advanceRecovery, onRepaired } from './damage.ts';
import type { Effect } from './effect.ts';
import {
  handlePreVoteResponse,
  handleRequestPreVote,
  handleRequestVote,
  handleVoteResponse,
  onElectionTimeout,
} from './election.ts';
import type { Entry, Index, Term } from './entry.ts';
import type { ClockAnomaly, Stalled } from './event.ts';
import { issueFloor } from './floor.ts';
import { stalenessMs } from './freshness.ts';
import { handleHeartbeatResponse, sendHeartbeats } from './heartbeats.ts';
import type { ClusterId, NodeId, ReplicaId, RequestId } from './identity.ts';
import type { StepDownResult, TransferResult } from './leadership-transfer.ts';
import {
  advanceLeadershipTransfer,
  handleTimeoutNow,
  sendTimeoutNow,
  stepDown,
  transferLeadership,
} from './leadership-transfer.ts';
import { cachedRange, termAt } from './log.ts';
import { issueWrite, markPersisted } from './log-changes.ts';
import { configurationAt, decidesAlone, onRemovalTimeout } from './membership.ts';
import type { MembershipChange } from './membership-change.ts';
import type { Envelope, RaftMessage } from './message.ts';
import { handleJoinRequest, resumeReplacement } from './newcomers.ts';
import { endLeadershipTransfer } from './ongoing-leadership-transfer.ts';
import type { RandomSource } from './options.ts';
import type { Proposal, ProposeResult } from './proposals.ts';
import { propose } from './proposals.ts';
import {
  advanceReads,
  cancelRead,
  handleReadIndexRequest,
  handleReadIndexResponse,
  requestRead,
} from './read-index.ts';
import { advanceCommit, handleAppendEntriesResponse, onLoaded, replicate } from './replication.ts';
import { becomeFollower } from './roles.ts';
import type { SnapshotMeta } from './snapshot.ts';
import {
  finishReceiving,
  handleInstallSnapshot,
  onSnapshotFailed,
  onSnapshotStored,
  onSnapshotWritten,
  refuseStaleSnapshot,
} from './snapshot-receive.ts';
import { handleInstallSnapshotResponse, onSnapshotLoaded } from './snapshot-transfer.ts';
import { onAnswered, onDiskHasSpace, onDiskNearlyFull, onStalled, onStallTimeout } from './stall.ts';
import type { RaftStart } from './start.ts';
import { initialState } from './start.ts';
import type { RaftState } from './state.ts';
import { advanceTime, onClockAnomaly } from './time.ts';
import { earliest, noTimers } from './timers.ts';

export type { MembershipResult } from './active-change.ts';
export { InvariantViolation } from './invariant-violation.ts';
export type { StepDownResult, TransferRefusal, TransferResult } from './leadership-transfer.ts';
export type { Proposal, ProposeResult } from './proposals.ts';
export type { RaftStart } from './start.ts';

/**
 * The face of the core: a deterministic state machine with inputs and effects, and no other way in or out.
 *
 * Every input carries `now`, in milliseconds of a monotonic clock, read after the input arrived. After
 * any number of inputs drain `takeEffects()`, do what they say, and see that `tick` is called at
 * `deadline`. Inputs that come late, early or twice are no-ops. Whatever a peer sends is acted upon or
 * dropped, counted and shown as an event. The one error thrown is `InvariantViolation`: the replica must
 * then stop, and its state be used no more.
 */
export class Raft {
  readonly #context: Context;

  /**
   * @throws RangeError when the options make no sense; it lists all mistakes.
   * @throws InvariantViolation when the recovered log cannot be a log.
   */
  constructor(start: RaftStart, random: RandomSource) {
    this.#context = { state: initialState(start, random), random, effects: [] };
    // A crash came after a snapshot had been stored, and before the log began after it.
    if (this.state.log.floorIndex > start.recovered.floor.index) issueFloor(this.#context);
    this.#campaignIfAlone();
  }

  /** Live, for looking at: never change it. */
  get state(): RaftState {
    return this.#context.state;
  }

  /** When `tick` is due next, on the clock of the inputs; null when never. */
  get deadline(): number | null {
    const due = earliest(this.state.timers);
    return due === null ? null : due - this.state.clockOffsetMs;
  }

  /**
   * What is to be done since the last call. One write, with everything that changed, and one more wherever the
   * log's floor moved.
   */
  takeEffects(): Effect[] {
    const { state } = this.#context;
    if (!state.failed) {
      finishReceiving(this.#context);
      compact(this.#context);
      advanceRecovery(this.#context);
      sayWhatMayBeSaid(this.#context);
      if (state.role === 'leader') advanceMembership(this.#context);
      if (state.role === 'leader') advanceLeadershipTransfer(this.#context);
      if (state.role === 'leader') replicate(this.#context);
      advanceReads(this.#context);
      issueApply(this.#context);
      issueWrite(this.#context);
    }
    const { effects } = this.#context;
    this.#context.effects = [];
    return effects;
  }

  /**
   * Entries `from` .. `to` inclusive if all of them are cached, else null. Until it is applied, the range of
   * an apply effect is either all cached or all durable.
   */
  cachedEntries(from: Index, to: Index): Entry[] | null {
    return cachedRange(this.state.log, from, to);
  }

  receive(now: number, envelope: Envelope): void {
    if (!this.#begin(now)) return;
    const { from, message } = envelope;
    if (message.kind === 'JoinRequest') {
      const reason = joinRefusal(this.state, envelope, message);
      if (reason === null) handleJoinRequest(this.#context, envelope, message);
      else drop(this.#context, from.id, reason);
      return;
    }
    const reason = refusal(this.state, envelope);
    if (reason !== null) {
      drop(this.#context, from.id, reason);
      const isStale = reason === 'stale-boot' && isRaftMessage(message);
      if (isStale && bootWentBack(this.state, from, message)) tellBootWentBack(this.#context, from);
    } else if (isRaftMessage(message)) {
      noteBoot(this.state, from, message);
      this.#dispatch(from, message);
    }
  }

  /**
   * Begins a change of the membership. What it waits for, and how it ends, is told by the events
   * `membership-progress` and `membership-ended`.
   *
   * @param expected - the id of the configuration that the change was made for; null for whatever it is.
   */
  proposeMembership(
    now: number,
    change: MembershipChange,
    expected: ConfigurationId | null,
  ): MembershipResult {
    if (!this.#begin(now)) return notLeading;
    return proposeMembership(this.#context, change, expected);
  }

  /** Gives up the change under way; it ends as `aborted`. */
  abortMembership(now: number): MembershipResult {
    if (!this.#begin(now)) return notLeading;
    return abortMembership(this.#context);
  }

  /** The configuration in force after the entry at `index`, which must not lie below the log's floor. */
  configurationAt(index: Index): Configuration {
    return configurationAt(this.state, index);
  }

  /** null below the log's floor and beyond its end. */
  termAt(index: Index): Term | null {
    return termAt(this.state.log, index);
  }

  /** Appends all or none; the leader replicates them at the next drain. */
  propose(now: number, proposals: readonly Proposal[]): ProposeResult {
    if (!this.#begin(now)) return { accepted: false, reason: 'not-leader' };
    return propose(this.#context, proposals);
  }

  /**
   * Asks for the right to read what is current; the answer is a `read-granted` effect, on any replica, once a leader
   * is found and proves that it leads. Many reads may share one id.
   *
   * @param lease - a leader with a lease may do without that proof.
   */
  requestRead(now: number, lease: boolean): RequestId | null {
    return this.#begin(now) ? requestRead(this.#context, lease) : null;
  }

  /** Nobody waits for this read any more. */
  cancelRead(now: number, readId: RequestId): void {
    if (this.#begin(now)) cancelRead(this.state, readId);
  }

  /**
   * By how many milliseconds, at most, what is applied here lags behind what anybody was told is committed; null
   * when no bound can be proven.
   */
  staleness(now: number): number | null {
    return this.#begin(now) ? stalenessMs(this.state) : null;
  }

  /**
   * Begins to hand over leadership; the events `leadership-transfer-ended` and `leader-changed` tell how it ends, within one
   * longest election timeout.
   *
   * @param to - null for the fittest.
   */
  transferLeadership(now: number, to: NodeId | null): TransferResult {
    if (this.#begin(now)) return transferLeadership(this.#context, to);
    return { accepted: false, reason: 'not-leader', why: 'this replica has stopped' };
  }

  /** Leads no more, and lets others go first in the election that follows. */
  stepDown(now: number): StepDownResult {
    return this.#begin(now) ? stepDown(this.#context) : { accepted: false, reason: 'not-leader' };
  }

  /** A write, or a command being applied, waits for too long. A leader hands over, if it can. */
  stalled(now: number, what: Stalled): void {
    if (this.#begin(now)) onStalled(this.#context, what);
  }

  /** It goes on. */
  answered(now: number, what: Stalled): void {
    if (this.#begin(now)) onAnswered(this.#context, what);
  }

  /**
   * The disk has less room than is kept in reserve.
   *
   * @param spareBytes - of entries that may be written until it has space again, if a new leader needs that.
   */
  diskNearlyFull(now: number, spareBytes: number): void {
    if (this.#begin(now)) onDiskNearlyFull(this.#context, spareBytes);
  }

  diskHasSpace(now: number): void {
    if (this.#begin(now)) onDiskHasSpace(this.#context);
  }

  /** Write `writeId` is durable, and with it all before it. */
  persisted(now: number, writeId: RequestId): void {
    if (!this.#begin(now) || !markPersisted(this.state, writeId)) return;
    if (this.state.role === 'leader') advanceCommit(this.#context);
  }

  /**
   * A write failed, and so did all later ones: what is on disk is unknown. A leader steps down, and the
   * core falls silent for good: the embedder reopens the storage and makes a new core.
   */
  writeFailed(now: number): void {
    if (!this.#begin(now)) return;
    const { state } = this.#context;
    becomeFollower(this.#context, state.hardState.term, 'a write failed');
    state.failed = true;
    state.timers = { ...noTimers };
    this.#context.effects = this.#context.effects.filter(({ kind }) => kind === 'event');
  }

  /** The entries a load effect asked for, or the first of them; null when they could not be read. */
  loaded(now: number, loadId: RequestId, entries: readonly Entry[] | null): void {
    if (this.#begin(now)) onLoaded(this.#context, loadId, entries);
  }

  /** The state machine finished every entry up to `index`. */
  applied(now: number, index: Index): void {
    if (this.#begin(now)) onApplied(this.#context, index);
  }

  /**
   * The embedder stored a snapshot of its own state machine, complete and durable. The log may be forgotten
   * below `keepFrom`.
   *
   * @throws InvariantViolation when it holds what is not committed, or not what the log holds.
   */
  snapshotTaken(now: number, meta: SnapshotMeta, keepFrom: Index): void {
    if (this.#begin(now)) snapshotTaken(this.#context, meta, keepFrom);
  }

  /** The bytes that a load-snapshot effect asked for; null when they could not be read. */
  snapshotLoaded(now: number, loadId: RequestId, data: Uint8Array | null): void {
    if (this.#begin(now)) onSnapshotLoaded(this.#context, loadId, data);
  }

  /** Everything of the transfer before `offset` is written, and its next chunk may come. */
  snapshotWritten(now: number, transferId: RequestId, offset: number): void {
    if (this.#begin(now)) onSnapshotWritten(this.#context, transferId, offset);
  }

  /** The received snapshot is complete, verified and durable. */
  snapshotStored(now: number, transferId: RequestId): void {
    if (this.#begin(now)) onSnapshotStored(this.#context, transferId);
  }

  /** What was received is not what it was said to be; nothing of it is kept. */
  snapshotFailed(now: number, transferId: RequestId): void {
    if (this.#begin(now)) onSnapshotFailed(this.#context, transferId);
  }

  /** The state machine holds what the snapshot up to `index` holds. */
  restored(now: number, index: Index): void {
    if (this.#begin(now)) onRestored(this.#context, index);
  }

  /** The storage holds the whole log again, as `recovered` says: peers gave back what was missing in its middle. */
  repaired(now: number, recovered: RaftStart['recovered']): void {
    if (this.#begin(now)) onRepaired(this.#context, recovered);
  }

  /** Nobody can give it back: the leader's log takes the place of what is missing, and of all that follows. */
  repairAbandoned(now: number): void {
    if (this.#begin(now)) abandonRepair(this.#context);
  }

  /** The embedder saw what the core cannot see, such as `now` and the wall clock going different ways. */
  clockAnomaly(now: number, anomaly: ClockAnomaly, byMs: number): void {
    if (this.#begin(now)) onClockAnomaly(this.#context, anomaly, byMs);
  }

  /** Time passed. Before `deadline` it is a no-op. */
  tick(now: number): void {
    if (!this.#begin(now)) return;
    const { timers, clockOffsetMs } = this.state;
    // Compared as `deadline` shows it, so that rounding cannot make a deadline that is never reached.
    const due = (timer: number | null): boolean => timer !== null && timer - clockOffsetMs <= now;
    // The drain that follows sends what may go now.
    if (due(timers.snapshotTransfer)) timers.snapshotTransfer = null;
    if (due(timers.quorum)) onQuorumTimeout(this.#context);
    if (due(timers.removal)) onRemovalTimeout(this.#context);
    if (due(timers.leadershipTransfer)) endLeadershipTransfer(this.#context, 'timed-out');
    if (due(timers.stall)) onStallTimeout(this.#context);
    if (due(timers.heartbeat)) {
      timers.heartbeat = null;
      sendHeartbeats(this.#context);
      sendTimeoutNow(this.#context);
      resumeReplacement(this.#context);
    }
    if (due(timers.election)) onElectionTimeout(this.#context);
  }

  /**
   * Founds a cluster on this empty replica: entry 1, of term 1, is its configuration.
   *
   * @throws InvariantViolation when it is not empty, or not one of the voters.
   */
  bootstrap(now: number, clusterId: ClusterId, configuration: Configuration): void {
    if (!this.#begin(now)) return;
    foundCluster(this.#context, clusterId, configuration);
    this.#campaignIfAlone();
  }

  /**
   * The cluster id this empty replica durably adopted. Until then it hears nobody.
   *
   * @throws InvariantViolation when it belongs to another cluster.
   */
  adoptCluster(now: number, clusterId: ClusterId): void {
    if (this.#begin(now)) joinCluster(this.state, clusterId);
  }

  /** False when the core is silent for good. */
  #begin(now: number): boolean {
    if (this.state.failed) return false;
    advanceTime(this.#context, now);
    return true;
  }

  #campaignIfAlone(): void {
    if (decidesAlone(this.state)) onElectionTimeout(this.#context);
  }

  /**
   * Pre-votes are about a term that nobody is in yet, so the term rule is not for them; and a request for
   * votes is first measured against what was promised.
   */
  #dispatch(from: ReplicaId, message: RaftMessage): void {
    const context = this.#context;
    switch (message.kind) {
      case 'RequestPreVote':
        handleRequestPreVote(context, from, message);
        break;
      case 'PreVoteResponse':
        handlePreVoteResponse(context, from, message);
        break;
      case 'RequestVote':
        if (!this.#isStale(from, message)) handleRequestVote(context, from, message);
        break;
      case 'VoteResponse':
        if (this.#termRule(from, message)) handleVoteResponse(context, from, message);
        break;
      case 'AppendEntries':
        if (this.#termRule(from, message)) handleAppendEntries(context, from, message);
        break;
      case 'AppendEntriesResponse':
        if (this.#termRule(from, message)) handleAppendEntriesResponse(context, from, message);
        break;
      case 'Heartbeat':
        if (this.#termRule(from, message)) handleHeartbeat(context, from, message);
        break;
      case 'HeartbeatResponse':
        if (this.#termRule(from, message)) handleHeartbeatResponse(context, from, message);
        break;
      case 'InstallSnapshot':
        if (this.#termRule(from, message)) handleInstallSnapshot(context, from, message);
        break;
      case 'InstallSnapshotResponse':
        if (this.#termRule(from, message)) handleInstallSnapshotResponse(context, from, message);
        break;
      case 'TimeoutNow':
        if (this.#termRule(from, message)) handleTimeoutNow(context, from);
        break;
      case 'ReadIndexRequest':
        if (this.#termRule(from, message)) handleReadIndexRequest(context, from, message);
        break;
      case 'ReadIndexResponse':
        if (this.#termRule(from, message)) handleReadIndexResponse(context, from, message);
        break;
    }
  }

  /** Paper 5.1: whoever sees a later term follows in it. False when the message is of an older term. */
  #termRule(from: ReplicaId, message: RaftMessage): boolean {
    if (this.#isStale(from, message)) return false;
    if (message.term > this.state.hardState.term) {
      becomeFollower(this.#context, message.term, `${from.id} is in a later term`);
    }
    return true;
  }

  /** Whoever asks out of an older term is told the present one; late answers help nobody. */
  #isStale(from: ReplicaId, message: RaftMessage): boolean {
    const context = this.#context;
    const { term } = this.state.hardState;
    if (message.term >= term) return false;
    if (message.kind === 'RequestVote') send(context, from, { kind: 'VoteResponse', term, granted: false });
    else if (message.kind === 'AppendEntries') refuseStaleAppend(context, from, message);
    else if (message.kind === 'Heartbeat') refuseStaleHeartbeat(context, from);
    else if (message.kind === 'InstallSnapshot') refuseStaleSnapshot(context, from, message);
    else drop(context, from.id, 'stale-term');
    return true;
  }
}

const notLeading: MembershipResult = {
  accepted: false,
  reason: 'not-leader',
  why: 'this replica has stopped',
};
