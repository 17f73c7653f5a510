import type { Configuration } from './configuration.ts';
import type { Effect, HardState } from './effect.ts';
import type { ConfigurationEntry, Entry, Index, Term, TermRun } from './entry.ts';
import type { ClockAnomaly } from './event.ts';
import type { ClusterId, GroupId, ReplicaId, RequestId } from './identity.ts';
import type { Envelope } from './message.ts';
import type { RaftOptions, RandomSource } from './options.ts';
import type { RaftState } from './state.ts';

/** What a core starts from. */
export interface RaftStart {
  readonly self: ReplicaId;
  readonly group: GroupId;
  readonly clusterId: ClusterId | null;
  readonly options: RaftOptions;
  readonly now: number;
  readonly recovered: {
    readonly hardState: HardState;
    readonly floor: {
      readonly index: Index;
      readonly term: Term;
      readonly configuration: Configuration | null;
    };
    readonly lastIndex: Index;
    readonly runs: readonly TermRun[];
    readonly configurations: readonly ConfigurationEntry[];
  };
  /** What the running state machine has applied; 0 at a cold start; may lie beyond the log's end. */
  readonly appliedIndex: Index;
}

export type Proposal = { readonly kind: 'command'; readonly payload: Uint8Array } | { readonly kind: 'noop' };

export type ProposeResult =
  /** Appended at `from` (inclusive) and following, one index each, all in `term`. */
  | { readonly accepted: true; readonly term: Term; readonly from: Index }
  | { readonly accepted: false; readonly reason: 'not-leader' | 'overloaded' };

/** A fact that Raft guarantees was found false. The replica must stop. */
export class InvariantViolation extends Error {
  readonly code = 'KONTIKI_INVARIANT_VIOLATION';
  constructor(message: string) {
    super(message);
    this.name = 'InvariantViolation';
  }
}

/** The face of the core. Every input carries `now`; then drain `takeEffects()` and look at `deadline`. */
export class Raft {
  constructor(_start: RaftStart, _random: RandomSource) {
    throw new InvariantViolation('contract only; the core is being written');
  }
  get state(): RaftState {
    throw new InvariantViolation('contract only');
  }
  /** When `tick` is due next; null when never. */
  get deadline(): number | null {
    throw new InvariantViolation('contract only');
  }
  takeEffects(): Effect[] {
    throw new InvariantViolation('contract only');
  }
  /** Entries `from` .. `to` inclusive if all of them are cached, else null. */
  cachedEntries(_from: Index, _to: Index): Entry[] | null {
    throw new InvariantViolation('contract only');
  }
  receive(_now: number, _envelope: Envelope): void {}
  propose(_now: number, _proposals: readonly Proposal[]): ProposeResult {
    throw new InvariantViolation('contract only');
  }
  persisted(_now: number, _writeId: RequestId): void {}
  /** The write failed and so did all later ones. The core falls silent: the embedder reopens and makes a new core. */
  writeFailed(_now: number): void {}
  /** `entries` null: the load failed. */
  loaded(_now: number, _loadId: RequestId, _entries: readonly Entry[] | null): void {}
  applied(_now: number, _index: Index): void {}
  clockAnomaly(_now: number, _anomaly: ClockAnomaly, _byMs: number): void {}
  tick(_now: number): void {}
  /** The first listed member of an empty log writes entry 1, of term 1. */
  bootstrap(_now: number, _clusterId: ClusterId, _configuration: Configuration): void {}
  /** The cluster id this empty replica durably adopted. */
  adoptCluster(_now: number, _clusterId: ClusterId): void {}
}
