import type { Index, Term } from './entry.ts';
import type { NodeId } from './identity.ts';

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** Things that happened in the core, for logs, metrics and the lab. */
export type RaftEvent =
  | { readonly kind: 'role-changed'; readonly term: Term; readonly role: Role; readonly reason: string }
  /** `leader` is null when none is known (any more). */
  | { readonly kind: 'leader-changed'; readonly term: Term; readonly leader: NodeId | null }
  | { readonly kind: 'commit-advanced'; readonly term: Term; readonly commitIndex: Index }
  | { readonly kind: 'log-truncated'; readonly term: Term; readonly from: Index }
  | { readonly kind: 'message-dropped'; readonly from: NodeId; readonly reason: DropReason }
  | { readonly kind: 'clock-anomaly'; readonly anomaly: ClockAnomaly; readonly byMs: number };

export type DropReason =
  | 'wrong-cluster'
  | 'wrong-group'
  | 'not-for-this-incarnation'
  | 'stale-boot'
  | 'stale-term'
  | 'not-a-voter'
  | 'not-a-member'
  | 'unexpected-in-role'
  | 'promised-to-leader'
  | 'malformed';

export type ClockAnomaly = 'backward' | 'gap' | 'wall-divergence';
