import type { Clock, TimerHandle } from '../doors/clock.ts';
import { type KontikiError, OutcomeUnknown, ProposalDropped } from './errors.ts';

export interface RequestOptions {
  /** Gives up waiting; milliseconds. Default: the node's `requestTimeoutMs`. */
  readonly timeoutMs?: number;
  /** Gives up waiting when aborted. */
  readonly signal?: AbortSignal;
}

export interface ProposeOptions extends RequestOptions {
  /**
   * While no leader is known: `fail` at once with NotLeader, or `wait`, up to the timeout, for one to be known. It is
   * then proposed if this replica leads, and refused with the leader's address if another does. Default: `fail`.
   */
  readonly whenNoLeader?: 'fail' | 'wait';
}

/** One caller: settles once, whichever of result, timeout, abort and failure comes first. */
export class Request<T> {
  readonly promise: Promise<T>;
  /** False until the core took it into its log. */
  inLog = false;
  settled = false;
  readonly #settle: { resolve: (value: T) => void; reject: (error: unknown) => void };
  readonly #cleanUp: (failure: { readonly error: unknown } | null) => void;

  constructor(
    clock: Clock,
    limits: { timeoutMs: number; signal?: AbortSignal | undefined },
    giveUp: GiveUp,
    onSettled: (failure: { readonly error: unknown } | null) => void,
  ) {
    let resolve: (value: T) => void = () => {};
    let reject: (error: unknown) => void = () => {};
    this.promise = new Promise<T>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    this.#settle = { resolve, reject };
    const timer: TimerHandle = clock.setTimer(limits.timeoutMs, () =>
      this.fail(giveUp(this.inLog, `not finished within ${limits.timeoutMs} ms`, undefined)),
    );
    const { signal } = limits;
    const onAbort = (): void => this.fail(giveUp(this.inLog, 'aborted by the caller', signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#cleanUp = (failure) => {
      clock.clearTimer(timer);
      signal?.removeEventListener('abort', onAbort);
      onSettled(failure);
    };
  }

  /** @param refusal - null unless the value says that it was refused: then that is why, where failures are counted. */
  succeed(value: T, refusal: Error | null = null): void {
    if (this.#finish(refusal === null ? null : { error: refusal })) this.#settle.resolve(value);
  }

  fail(error: unknown): void {
    if (this.#finish({ error })) this.#settle.reject(error);
  }

  #finish(failure: { readonly error: unknown } | null): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#cleanUp(failure);
    return true;
  }
}

/** Why a request is not even begun: what its options say is no time to wait, or that nobody waits any more. */
export function refusalOf({ timeoutMs, signal }: RequestOptions, giveUp: GiveUp): Error | null {
  if (timeoutMs !== undefined && !(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
    return new RangeError(
      `timeoutMs: expected a positive number of milliseconds, found ${String(timeoutMs)}`,
    );
  }
  return signal?.aborted === true ? giveUp(false, 'aborted by the caller', signal.reason) : null;
}

/** Makes the error of a request that is given up, by whether its entry is in the log. */
export type GiveUp = (inLog: boolean, why: string, cause: unknown) => KontikiError;

export const giveUpProposal: GiveUp = (inLog, why, cause) =>
  inLog
    ? new OutcomeUnknown(`the command may or may not be applied: ${why}`, { cause })
    : new ProposalDropped(`the command was not proposed: ${why}`, { cause });
