import type { MemberId, NodeId } from '../raft/identity.ts';
import type { TransferRefusal } from '../raft/leadership-transfer.ts';
import type { MembershipRefusal } from '../raft/membership-change.ts';
import type { ProposalBound } from '../raft/proposals.ts';
import type { PutAside } from '../storage/contract.ts';

/** Every error of a running node. `outcomeKnown` false means: the command may still be applied. */
export abstract class KontikiError extends Error {
  abstract readonly code: string;
  abstract readonly outcomeKnown: boolean;
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** This replica does not lead. Nothing was proposed; try `leader`. */
export class NotLeader extends KontikiError {
  readonly code = 'KONTIKI_NOT_LEADER';
  readonly outcomeKnown = true;
  /** null while none is known. */
  readonly leader: { readonly id: NodeId; readonly address: string } | null;
  constructor(leader: { readonly id: NodeId; readonly address: string } | null) {
    super(
      leader
        ? `not the leader; ${leader.id} at ${leader.address} is`
        : 'not the leader; none is known at present',
    );
    this.leader = leader;
  }
}

/** The command never entered the log, or an entry that excludes it is committed. It is safe to retry. */
export class ProposalDropped extends KontikiError {
  readonly code = 'KONTIKI_PROPOSAL_DROPPED';
  readonly outcomeKnown = true;
}

/** The command may or may not be applied, now or later. */
export class OutcomeUnknown extends KontikiError {
  readonly code = 'KONTIKI_OUTCOME_UNKNOWN';
  readonly outcomeKnown = false;
}

/** Which bound was met; docs/errors.md says what to do about each. */
export type OverloadReason =
  | ProposalBound
  /** `pendingRequestsMax` requests of this process wait for their outcome. */
  | 'pending-requests'
  /** More was proposed in one turn of the event loop than may be uncommitted at all. */
  | 'queued-bytes'
  /** As many commands of this session are under way as its window holds. */
  | 'session-window';

/** Too much is under way; nothing was proposed. Wait and retry; `reason` tells for what. */
export class Overloaded extends KontikiError {
  readonly code = 'KONTIKI_OVERLOADED';
  readonly outcomeKnown = true;
  readonly reason: OverloadReason;
  constructor(reason: OverloadReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * A command of a session that will never be applied by this attempt, because the cluster does not know the
 * session, or the sequence, any more. `outcomeKnown` false: whether an earlier attempt was applied is not known
 * (or, for `result-dropped`, it was, and its result is lost). Nothing of it is applied later either.
 */
export class SessionExpired extends KontikiError {
  readonly code = 'KONTIKI_SESSION_EXPIRED';
  readonly outcomeKnown: boolean;
  /**
   * `session-gone`: expired, evicted, closed, or never opened. `acknowledged`: the sequence was answered or given
   * up before. `result-dropped`: it was applied, and its result had to make place.
   */
  readonly reason: 'session-gone' | 'acknowledged' | 'result-dropped';
  constructor(reason: SessionExpired['reason'], why: string, isOnlyAttempt: boolean) {
    super(
      isOnlyAttempt
        ? `the command was not applied: ${why}`
        : `the command was not applied by this attempt, and an earlier one may have been: ${why}`,
    );
    this.reason = reason;
    this.outcomeKnown = isOnlyAttempt;
  }
}

/** An entry of a session that no correct client sends; every replica refused it. See SessionExpired. */
export class SessionRefused extends KontikiError {
  readonly code = 'KONTIKI_SESSION_REFUSED';
  readonly outcomeKnown: boolean;
  readonly reason: 'beyond-window' | 'malformed';
  constructor(reason: SessionRefused['reason'], why: string, isOnlyAttempt: boolean) {
    super(`the command was not applied by this attempt: ${why}`);
    this.reason = reason;
    this.outcomeKnown = isOnlyAttempt;
  }
}

/** A read did not finish in time, or was aborted. Nothing was changed. */
export class ReadFailed extends KontikiError {
  readonly code = 'KONTIKI_READ_FAILED';
  readonly outcomeKnown = true;
}

/** A local read asked for a bound on staleness that cannot be proven. Ask for another consistency, or try again. */
export class TooStale extends KontikiError {
  readonly code = 'KONTIKI_TOO_STALE';
  readonly outcomeKnown = true;
  /** By how much the state may lag; null: nothing is known. Milliseconds. */
  readonly provenMs: number | null;
  constructor(maxStalenessMs: number, provenMs: number | null) {
    super(
      `this replica's state is not proven to lag by at most ${maxStalenessMs} ms: ` +
        (provenMs === null ? 'nothing is known of it at present' : `it may lag by ${provenMs} ms`),
    );
    this.provenMs = provenMs;
  }
}

/**
 * Leadership was not handed over as asked. `reason` tells why; only after `gave-up` and `timed-out` it may still
 * happen: a TimeoutNow that left is heeded however late it comes.
 */
export class TransferFailed extends KontikiError {
  readonly code = 'KONTIKI_TRANSFER_FAILED';
  readonly reason: TransferRefusal | 'timed-out' | 'not-a-voter-any-more' | 'another-leads' | 'gave-up';
  /** Who leads, as far as this replica knows; null when none is known. */
  readonly leader: { readonly id: NodeId; readonly address: string } | null;
  constructor(
    reason: TransferFailed['reason'],
    why: string,
    options: { readonly leader?: TransferFailed['leader']; readonly cause?: unknown } = {},
  ) {
    super(`leadership is not handed over: ${why}`, { cause: options.cause });
    this.reason = reason;
    this.leader = options.leader ?? null;
  }
  get outcomeKnown(): boolean {
    return this.reason !== 'gave-up' && this.reason !== 'timed-out';
  }
}

/** The only voter was asked to step down: there is nobody else to lead. */
export class StepDownRefused extends KontikiError {
  readonly code = 'KONTIKI_STEP_DOWN_REFUSED';
  readonly outcomeKnown = true;
  constructor() {
    super('the only voter cannot step down: there is nobody else to lead');
  }
}

/** No backup came of it; what was given so far is none. Nothing was changed. */
export class BackupFailed extends KontikiError {
  readonly code = 'KONTIKI_BACKUP_FAILED';
  readonly outcomeKnown = true;
}

/** The node is closed, or was stopped by the error in `cause`. Nothing was proposed. */
export class Closed extends KontikiError {
  readonly code = 'KONTIKI_CLOSED';
  readonly outcomeKnown = true;
  constructor(cause: unknown = null) {
    if (cause === null) super('the node is closed');
    else super(`the node was stopped: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** The options given to `open` are wrong; `mistakes` lists all of them. */
export class InvalidOptions extends KontikiError {
  readonly code = 'KONTIKI_INVALID_OPTIONS';
  readonly outcomeKnown = true;
  readonly mistakes: readonly string[];
  constructor(mistakes: readonly string[]) {
    super(`invalid options:\n${mistakes.map((m) => `  - ${m}`).join('\n')}`);
    this.mistakes = mistakes;
  }
}

/** A change of the membership that was not begun; nothing was appended. `reason` tells why. */
export class MembershipRefused extends KontikiError {
  readonly code = 'KONTIKI_MEMBERSHIP_REFUSED';
  readonly outcomeKnown = true;
  /** `newcomer-not-heard`: somebody to be added did not ask to join while the call waited. */
  readonly reason: MembershipRefusal | 'newcomer-not-heard';
  /** Whom to ask instead of a replica that does not lead; null when it leads, or none is known. */
  readonly leader: { readonly id: NodeId; readonly address: string } | null;
  constructor(
    reason: MembershipRefused['reason'],
    why: string,
    options: { readonly leader?: MembershipRefused['leader']; readonly cause?: unknown } = {},
  ) {
    super(`the membership is not changed: ${why}`, { cause: options.cause });
    this.reason = reason;
    this.leader = options.leader ?? null;
  }
}

/** A change of the membership was given up, and the voters are as they were before it. */
export class MembershipAborted extends KontikiError {
  readonly code = 'KONTIKI_MEMBERSHIP_ABORTED';
  readonly outcomeKnown = true;
}

/** The cluster's configuration does not list this replica any more. It stopped; its work is done. */
export class Removed extends KontikiError {
  readonly code = 'KONTIKI_REMOVED';
  readonly outcomeKnown = true;
  constructor() {
    super('the cluster does not list this replica any more; its process and its directory may go');
  }
}

/** The cluster never admits this replica's incarnation again: it was replaced, or its disk went back. */
export class Retired extends KontikiError {
  readonly code = 'KONTIKI_RETIRED';
  readonly outcomeKnown = true;

  static replaced({ id, incarnation }: MemberId): Retired {
    return new Retired(
      `incarnation ${incarnation} of ${id} was replaced, and never comes back; ` +
        'empty its directory and restart it to have it let in as a new member, or take it away',
    );
  }

  static wentBack({ id, incarnation }: MemberId): Retired {
    return new Retired(
      `incarnation ${incarnation} of ${id} was copied or rolled back, so its storage was emptied; ` +
        'restart the process, with a fresh state machine, and it asks to be let in as a new member',
    );
  }

  static putAside(id: NodeId, { directory, why }: PutAside): Retired {
    return new Retired(
      `the storage of ${id} was put aside in ${directory}, since its promises are lost (${why}); ` +
        'restart the process, with a fresh state machine, and it asks to be let in as a new member',
    );
  }
}

/** The user's state machine threw or rejected, or cannot do what is needed. The replica stops; the others go on. */
export class StateMachineFailed extends KontikiError {
  readonly code = 'KONTIKI_STATE_MACHINE_FAILED';
  readonly outcomeKnown = false;
}
