import type { NodeId } from '../raft/identity.ts';

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

/** Too much is under way; nothing was proposed. Wait and retry. */
export class Overloaded extends KontikiError {
  readonly code = 'KONTIKI_OVERLOADED';
  readonly outcomeKnown = true;
}

/** A linearizable read did not finish in time, or was aborted. Nothing was changed. */
export class ReadFailed extends KontikiError {
  readonly code = 'KONTIKI_READ_FAILED';
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

/** The user's `apply` threw or rejected. The replica stops; the others go on. */
export class StateMachineFailed extends KontikiError {
  readonly code = 'KONTIKI_STATE_MACHINE_FAILED';
  readonly outcomeKnown = false;
}
