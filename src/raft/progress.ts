import type { Member } from './configuration.ts';
import type { Index } from './entry.ts';
import type { RequestId } from './identity.ts';

/**
 * What a leader knows of one peer, kept per (incarnation, boot): a new boot starts again.
 * Invariant: matchIndex < nextIndex.
 */
export interface Progress {
  readonly member: Member;
  /** null until the peer was heard in this leader's term. */
  boot: number | null;
  /** `probe`: one append at a time, to find where the logs agree. `replicate`: pipelined. */
  mode: 'probe' | 'replicate';
  /** Durable on the peer and equal to the leader's log up to here. Moves only forward within a boot. */
  matchIndex: Index;
  /** The next entry to send. Moves ahead optimistically in `replicate`. */
  nextIndex: Index;
  /** Appends under way, oldest first. */
  inflight: { readonly lastIndex: Index; readonly bytes: number; readonly round: number }[];
  inflightBytes: number;
  /** Probe: an append is under way; the next goes out after its answer or the next heartbeat answer. */
  probeSent: boolean;
  /** The latest heartbeat round it answered; 0 when none. */
  answeredRound: number;
  /** When that round was sent; null when none. */
  contactAt: number | null;
  /** A load of old entries is under way for it. */
  loading: RequestId | null;
}
