import type { Member } from './configuration.ts';
import type { Index } from './entry.ts';
import type { StampedAnswer } from './freshness.ts';
import type { RequestId } from './identity.ts';
import { bytesAfter, firstCachedIndex } from './log.ts';
import type { ProvenFreshness } from './message.ts';
import type { RaftOptions } from './options.ts';
import type { SnapshotMeta } from './snapshot.ts';
import type { RaftState } from './state.ts';

/**
 * What a leader knows of one peer, kept per (incarnation, boot): a new boot starts again.
 * Invariant: matchIndex < nextIndex.
 */
export interface Progress {
  /** As the configuration in force lists it. */
  member: Member;
  /** null until the peer was heard. */
  boot: number | null;
  /**
   * `probe`: one append at a time, to find where the logs agree. `replicate`: pipelined. `snapshot`: it needs
   * entries from below the floor, so no appends, but the snapshot that holds them.
   */
  mode: 'probe' | 'replicate' | 'snapshot';
  /** Durable on the peer and equal to the leader's log up to here. Moves only forward within a boot. */
  matchIndex: Index;
  /** The greatest matchIndex of its earlier boots: a later one that holds less has a disk that went back. */
  earlierMatchIndex: Index;
  /** The next entry to send. Moves ahead optimistically in `replicate`; in `snapshot` it follows the snapshot. */
  nextIndex: Index;
  /**
   * In `replicate`, oldest first: what was sent and is not known to be durable on the peer, without a gap from
   * `matchIndex` to `nextIndex`. None otherwise.
   */
  inflight: { readonly lastIndex: Index; readonly bytes: number; readonly round: number }[];
  inflightBytes: number;
  /**
   * Probe: the latest heartbeat round when the append under way was sent; null when none is. The next goes
   * out after its answer, or after the answer to a later round, which shows that it was lost.
   */
  probeRound: number | null;
  /** The latest heartbeat round it answered; 0 when none. */
  answeredRound: number;
  /** When that round was sent; null when none. */
  contactAt: number | null;
  /**
   * Until then it votes for nobody else, by what it promised and by the leader's clock, drift allowed for; null
   * where nothing can be said.
   */
  promisedUntil: number | null;
  /** The stamp of an answer of its, until a round that began later is confirmed; null: the next one is taken. */
  stamped: StampedAnswer | null;
  /** What its next heartbeat tells it about its freshness. */
  provenFreshness: ProvenFreshness | null;
  /** By its last answer its disk is nearly full: it takes no entries, and is sent none. */
  nearlyFull: boolean;
  /** A load of old entries is under way for it. */
  loading: RequestId | null;
  /** `snapshot`: how far it is with it; null otherwise. */
  transfer: SnapshotTransfer | null;
  /** It got a snapshot and goes on with the entries after it: when it last got further. null: it does not. */
  recoveringAt: number | null;
  /** Set when the configuration in force does not list it any more. */
  departing: Departing | null;
}

/** One snapshot on its way to one peer; see snapshot-transfer.ts. */
export interface SnapshotTransfer {
  readonly snapshot: SnapshotMeta;
  /** How the transfer is announced once the peer answers. */
  readonly begins: 'begun' | 'restarted';
  /** The peer has written everything before it; null until it said so, and nothing is sent before. */
  acknowledgedOffset: number | null;
  /** Where the next chunk to send begins; `acknowledgedOffset <= nextOffset <= snapshot.size`. */
  nextOffset: number;
  /** Chunks sent and not acknowledged, oldest first, each with the heartbeat round when it was sent. */
  inflight: { readonly endOffset: number; readonly round: number }[];
  /** Something was lost: one chunk at a time, until one gets through. */
  cautious: boolean;
  /** The round when the peer was last asked how far it is; null once it may be asked (again). */
  askedRound: number | null;
  /** The chunk being read from the own storage. */
  loading: { readonly loadId: RequestId; readonly offset: number; readonly length: number } | null;
  /** When the peer last got further. */
  progressAt: number;
}

/** A peer on its way out: it gets the entry that removes it, and nothing after that. */
export interface Departing {
  /** The index of that entry. */
  readonly index: Index;
  /** When it is forgotten, whatever it knows. */
  readonly until: number;
  /** The first heartbeat round that told it that the entry is committed; null before. */
  toldRound: number | null;
}

export function newProgress(member: Member, boot: number | null, nextIndex: Index): Progress {
  return {
    member,
    boot,
    mode: 'probe',
    matchIndex: 0,
    earlierMatchIndex: 0,
    nextIndex,
    inflight: [],
    inflightBytes: 0,
    probeRound: null,
    answeredRound: 0,
    contactAt: null,
    promisedUntil: null,
    stamped: null,
    provenFreshness: null,
    nearlyFull: false,
    loading: null,
    transfer: null,
    recoveringAt: null,
    departing: null,
  };
}

/** Everything known came from an earlier boot, except that it answers. */
export function restartProgress(progress: Progress, boot: number, nextIndex: Index): void {
  progress.boot = boot;
  progress.earlierMatchIndex = Math.max(progress.earlierMatchIndex, progress.matchIndex);
  progress.matchIndex = 0;
  progress.recoveringAt = null;
  progress.stamped = null;
  progress.provenFreshness = null;
  progress.nearlyFull = false;
  becomeProbe(progress, nextIndex);
}

/** The window is emptied with every change of mode, so that nothing of the old one can block the new one. */
export function becomeProbe(progress: Progress, nextIndex: Index): void {
  progress.mode = 'probe';
  progress.nextIndex = nextIndex > progress.matchIndex ? nextIndex : progress.matchIndex + 1;
  progress.probeRound = null;
  progress.inflight = [];
  progress.inflightBytes = 0;
  progress.loading = null;
  progress.transfer = null;
}

/** The logs are known to agree up to `verifiedIndex`, and what follows may be pipelined. */
export function becomeReplicate(leader: WindowOwner, progress: Progress, verifiedIndex: Index): void {
  becomeProbe(progress, verifiedIndex + 1);
  progress.mode = 'replicate';
  noteVerified(leader, progress, verifiedIndex);
}

/**
 * The peer holds entries up to `verifiedIndex`, durable or not; what of them was not in the window belongs there
 * until it is durable. A window emptied by a loss would otherwise forget what the peer still has to write, and each
 * loss would let another window through to a peer whose disk hangs.
 *
 * The size of what is not cached any more is unknown. It counts for all the room there is: it was evicted because
 * so much came after it, and the peer says when it is durable.
 */
export function noteVerified(leader: WindowOwner, progress: Progress, verifiedIndex: Index): void {
  const { log, options, lastRound } = leader;
  const lastSent = progress.inflight[progress.inflight.length - 1]?.lastIndex ?? progress.matchIndex;
  if (verifiedIndex <= lastSent) return;
  const bytes =
    lastSent + 1 < firstCachedIndex(log)
      ? Math.max(0, options.inflightBytesMax - progress.inflightBytes)
      : bytesAfter(log, lastSent) - bytesAfter(log, verifiedIndex);
  // All of the window is verified then, so it may be told as one: the number of messages is not for this.
  const last = progress.inflight.pop();
  progress.inflightBytes -= last?.bytes ?? 0;
  noteSent(progress, { lastIndex: verifiedIndex, bytes: bytes + (last?.bytes ?? 0), round: lastRound });
}

type WindowOwner = Pick<RaftState, 'log' | 'options' | 'lastRound'>;

export function becomeSnapshot(progress: Progress, transfer: SnapshotTransfer): void {
  becomeProbe(progress, transfer.snapshot.index + 1);
  progress.mode = 'snapshot';
  progress.transfer = transfer;
}

/** A full window holds back further appends; the last one may overshoot the bytes. */
export function windowHasRoom(progress: Progress, options: RaftOptions): boolean {
  return (
    progress.inflight.length < options.inflightMessagesMax &&
    progress.inflightBytes < options.inflightBytesMax
  );
}

/** An append of entries up to `lastIndex` was sent. */
export function noteSent(
  progress: Progress,
  sent: { readonly lastIndex: Index; readonly bytes: number; readonly round: number },
): void {
  progress.nextIndex = sent.lastIndex + 1;
  progress.inflight.push(sent);
  progress.inflightBytes += sent.bytes;
}

/** The peer durably holds everything up to `matchIndex`. False when that was known. */
export function noteMatch(progress: Progress, matchIndex: Index): boolean {
  if (matchIndex <= progress.matchIndex) return false;
  progress.matchIndex = matchIndex;
  if (progress.nextIndex <= matchIndex) progress.nextIndex = matchIndex + 1;
  let oldest = progress.inflight[0];
  while (oldest !== undefined && oldest.lastIndex <= matchIndex) {
    progress.inflightBytes -= oldest.bytes;
    progress.inflight.shift();
    oldest = progress.inflight[0];
  }
  return true;
}
