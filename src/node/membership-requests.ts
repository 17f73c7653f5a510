import type { Clock } from '../doors/clock.ts';
import type { Configuration, ConfigurationId } from '../raft/configuration.ts';
import type { MembershipProgress, RaftEvent } from '../raft/event.ts';
import type { NodeId, RequestId } from '../raft/identity.ts';
import { currentConfiguration } from '../raft/membership.ts';
import type { Raft } from '../raft/raft.ts';
import { Closed, MembershipAborted, MembershipRefused, OutcomeUnknown, ProposalDropped } from './errors.ts';
import { type GiveUp, Request, type RequestOptions, refusalOf } from './request.ts';
import { type RequestedChange, resolveChange } from './requested-change.ts';
import { leaderOf } from './status.ts';

export interface MembershipOptions extends RequestOptions {
  /** Compare-and-set: the change is refused unless the configuration still has this id. */
  readonly expected?: ConfigurationId;
  /** Called with each step. */
  readonly onProgress?: (progress: MembershipProgress) => void;
}

/** Runs at once, with the core of the present session; null while there is none. */
export type WithCore = <T>(act: (now: number, core: Raft) => T) => T | null;

interface Asked {
  readonly change: RequestedChange;
  readonly options: MembershipOptions;
  readonly request: Request<Configuration>;
  /** For whom it waits; empty once the core has it. */
  missing: readonly NodeId[];
}

const TIMEOUT_MS = 60_000;
const notServing = 'this replica does not lead; its storage is being reopened';

/**
 * Who waits for which change of the membership. A change waits here for the newcomers it names, whose
 * incarnation and address it takes from their own request to join; then the core has it, and its events say
 * what becomes of it. Whoever gives up waiting leaves the change running.
 */
export class MembershipRequests {
  readonly #clock: Clock;
  readonly #withCore: WithCore;
  /** For newcomers, in the order of the calls. */
  #waiting: Asked[] = [];
  readonly #running = new Map<string, Asked>();
  readonly #aborting = new Map<string, Request<Configuration>[]>();
  #stopped: { readonly cause: Error | null } | null = null;

  constructor(clock: Clock, withCore: WithCore) {
    this.#clock = clock;
    this.#withCore = withCore;
  }

  change(change: RequestedChange, options: MembershipOptions): Promise<Configuration> {
    const refused = refusalOf(options, giveUpChange);
    if (refused !== null) return Promise.reject(refused);
    const asked: Asked = {
      change,
      options,
      missing: [],
      request: new Request<Configuration>(
        this.#clock,
        { timeoutMs: options.timeoutMs ?? TIMEOUT_MS, signal: options.signal },
        (inLog, why, cause) =>
          inLog
            ? new OutcomeUnknown(`the change of the membership goes on: ${why}`, { cause })
            : new MembershipRefused('newcomer-not-heard', waitedFor(asked.missing, why), { cause }),
        () => this.#forget(asked),
      ),
    };
    this.#propose(asked);
    return asked.request.promise;
  }

  /** Gives up whatever change is under way, here or in the core, and resolves with what is in force then. */
  abort(options: RequestOptions): Promise<Configuration> {
    const refused = refusalOf(options, giveUpAbort);
    if (refused !== null) return Promise.reject(refused);
    const withdrawn = this.#waiting.splice(0);
    for (const { request } of withdrawn) {
      request.fail(new MembershipAborted('aborted by the operator before anything was proposed'));
    }
    const request = new Request<Configuration>(
      this.#clock,
      { timeoutMs: options.timeoutMs ?? TIMEOUT_MS, signal: options.signal },
      giveUpAbort,
      () => {},
    );
    request.inLog = true;
    const answer = this.#withCore((now, core) => {
      const result = core.abortMembership(now);
      if (result.accepted) return { changeId: result.changeId };
      const isDone = result.reason === 'no-change' && withdrawn.length > 0;
      if (isDone) return { configuration: currentConfiguration(core.state) };
      return { refusal: new MembershipRefused(result.reason, result.why, { leader: leaderOf(core.state) }) };
    });
    if (answer === null) request.fail(this.#notAnswered());
    else if (answer.configuration !== undefined) request.succeed(answer.configuration);
    else if (answer.refusal !== undefined) request.fail(answer.refusal);
    else this.#aborting.set(keyOf(answer.changeId), [...this.#abortingOf(answer.changeId), request]);
    return request.promise;
  }

  /** What the core told of itself. */
  onEvent(event: RaftEvent): void {
    if (event.kind === 'membership-progress') {
      this.#tellProgress(this.#running.get(keyOf(event.changeId)), event.progress);
    } else if (event.kind === 'membership-ended') {
      this.#onEnded(event.changeId, event.outcome, event.reason);
    } else if (event.kind === 'newcomer' || event.kind === 'role-changed') {
      for (const asked of this.#waiting.splice(0)) this.#propose(asked);
    }
  }

  /** The node stopped. */
  stop(cause: Error | null): void {
    this.#stopped = { cause };
    for (const { request } of [...this.#waiting, ...this.#running.values()]) {
      request.fail(
        request.inLog
          ? new OutcomeUnknown('the change of the membership goes on: the node was stopped', { cause })
          : new Closed(cause),
      );
    }
    for (const request of [...this.#aborting.values()].flat()) {
      request.fail(new OutcomeUnknown('the abort goes on: the node was stopped', { cause }));
    }
    this.#aborting.clear();
  }

  #propose(asked: Asked): void {
    const { request } = asked;
    const refusal = this.#withCore((now, core) => {
      const { state } = core;
      const configuration = currentConfiguration(state);
      const expected = asked.options.expected ?? null;
      const resolved = resolveChange(asked.change, state);
      // Whoever does not lead, or is asked about another configuration, refuses before it looks at the change.
      if (state.role === 'leader' && (expected === null || expected === configuration.id)) {
        if ('refused' in resolved) return new MembershipRefused(resolved.refused, resolved.why);
        if ('missing' in resolved) {
          asked.missing = resolved.missing;
          this.#waiting.push(asked);
          return 'waits';
        }
      }
      const result = core.proposeMembership(now, 'change' in resolved ? resolved.change : {}, expected);
      if (!result.accepted) {
        return new MembershipRefused(result.reason, result.why, { leader: leaderOf(state) });
      }
      asked.missing = [];
      request.inLog = true;
      this.#running.set(keyOf(result.changeId), asked);
      return 'runs';
    });
    if (refusal === null) request.fail(this.#notAnswered());
    else if (refusal instanceof MembershipRefused) request.fail(refusal);
  }

  /** Without a core nothing was proposed; one that stopped half way may have appended it. */
  #notAnswered(): Error {
    if (this.#stopped === null) return new MembershipRefused('not-leader', notServing);
    return new OutcomeUnknown('the replica stopped while it proposed this', this.#stopped);
  }

  /** A listener's exception is its owner's. */
  #tellProgress(asked: Asked | undefined, progress: MembershipProgress): void {
    try {
      asked?.options.onProgress?.(progress);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #onEnded(changeId: RequestId, outcome: 'completed' | 'aborted' | 'superseded', reason: string): void {
    const key = keyOf(changeId);
    const asked = this.#running.get(key)?.request;
    const aborts = this.#abortingOf(changeId);
    this.#running.delete(key);
    this.#aborting.delete(key);
    if (asked === undefined && aborts.length === 0) return;
    const configuration = this.#withCore((_now, core) => currentConfiguration(core.state));
    if (outcome === 'superseded' || configuration === null) {
      const unknown = new OutcomeUnknown(
        `the change of the membership has no leader here any more: ${reason}`,
      );
      for (const request of [asked, ...aborts]) request?.fail(unknown);
      return;
    }
    if (outcome === 'completed') asked?.succeed(configuration);
    else asked?.fail(new MembershipAborted(`the membership is as it was: ${reason}`));
    for (const request of aborts) request.succeed(configuration);
  }

  #abortingOf(changeId: RequestId): Request<Configuration>[] {
    return this.#aborting.get(keyOf(changeId)) ?? [];
  }

  #forget(asked: Asked): void {
    this.#waiting = this.#waiting.filter((other) => other !== asked);
    for (const [key, other] of this.#running) if (other === asked) this.#running.delete(key);
  }
}

const giveUpChange: GiveUp = (_inLog, why, cause) =>
  new MembershipAborted(`nothing was proposed: ${why}`, { cause });

const giveUpAbort: GiveUp = (inLog, why, cause) =>
  inLog
    ? new OutcomeUnknown(`the abort goes on: ${why}`, { cause })
    : new ProposalDropped(`the abort was not proposed: ${why}`, { cause });

function waitedFor(missing: readonly NodeId[], why: string): string {
  return `nothing was proposed; ${missing.join(', ')} did not ask to join: ${why}`;
}

function keyOf({ boot, sequence }: RequestId): string {
  return `${boot}.${sequence}`;
}
