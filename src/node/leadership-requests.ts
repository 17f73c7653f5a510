import type { Clock } from '../doors/clock.ts';
import type { RaftEvent } from '../raft/event.ts';
import type { NodeId, RequestId } from '../raft/identity.ts';
import { Closed, NotLeader, StepDownRefused, TransferFailed } from './errors.ts';
import type { WithCore } from './membership-requests.ts';
import { type GiveUp, Request, type RequestOptions, refusalOf } from './request.ts';
import { leaderOf } from './status.ts';

export type LeaderAddress = { readonly id: NodeId; readonly address: string };

interface Asked {
  readonly leadershipTransferId: RequestId;
  readonly to: NodeId;
  readonly request: Request<LeaderAddress>;
  /** It leads no more, and waits to hear who does. */
  steppedDown: boolean;
  /** Called as soon as this replica has stepped down, or keeps leading. */
  readonly onEnded: () => void;
}

const nobody = 'this replica does not lead; its storage is being reopened';

/** Who waits for which hand-over of leadership. The core's events say what becomes of it. */
export class LeadershipRequests {
  readonly #clock: Clock;
  readonly #withCore: WithCore;
  #asked: Asked[] = [];
  #leader: () => LeaderAddress | null;

  constructor(clock: Clock, withCore: WithCore, leader: () => LeaderAddress | null) {
    this.#clock = clock;
    this.#withCore = withCore;
    this.#leader = leader;
  }

  transfer(
    to: NodeId | null,
    options: RequestOptions & { readonly timeoutMs: number },
  ): Promise<LeaderAddress> {
    return this.#begin(to, options, () => {});
  }

  /**
   * Hands over to the fittest, or waits for the hand-over that is under way: resolves when this replica has stepped
   * down, or it is clear that it will not. Never rejects.
   */
  leaveTheLead(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const underWay = this.#withCore((_now, core) => core.state.leadershipTransfer);
      const known =
        underWay === null
          ? this.#begin(null, { timeoutMs }, resolve)
          : this.#await(underWay.leadershipTransferId, underWay.to.id, { timeoutMs }, resolve);
      known.then(
        () => resolve(),
        () => resolve(),
      );
    });
  }

  /** @throws NotLeader, StepDownRefused */
  stepDown(): void {
    const answer = this.#withCore((now, core) => ({
      result: core.stepDown(now),
      leader: leaderOf(core.state),
    }));
    if (answer === null || (!answer.result.accepted && answer.result.reason === 'not-leader')) {
      throw new NotLeader(answer?.leader ?? null);
    }
    if (!answer.result.accepted) throw new StepDownRefused();
  }

  /** What the core told of itself. */
  onEvent(event: RaftEvent): void {
    if (event.kind === 'leadership-transfer-ended') this.#onEnded(event);
    else if (event.kind === 'leader-changed' && event.leader !== null) this.#onLeader(event.leader);
  }

  /** The node stopped. */
  stop(cause: Error | null): void {
    for (const { request } of this.#asked.splice(0)) request.fail(new Closed(cause));
  }

  #begin(
    to: NodeId | null,
    options: RequestOptions & { readonly timeoutMs: number },
    onEnded: () => void,
  ): Promise<LeaderAddress> {
    const refused = refusalOf(options, giveUp);
    if (refused !== null) return Promise.reject(refused);
    const answer = this.#withCore((now, core) => ({
      result: core.transferLeadership(now, to),
      leader: leaderOf(core.state),
    }));
    if (answer === null) return Promise.reject(new TransferFailed('not-leader', nobody));
    const { result, leader } = answer;
    if (!result.accepted) {
      return Promise.reject(new TransferFailed(result.reason, result.why, { leader }));
    }
    return this.#await(result.leadershipTransferId, result.to, options, onEnded);
  }

  #await(
    leadershipTransferId: RequestId,
    to: NodeId,
    options: RequestOptions & { readonly timeoutMs: number },
    onEnded: () => void,
  ): Promise<LeaderAddress> {
    const asked: Asked = {
      leadershipTransferId,
      to,
      steppedDown: false,
      onEnded,
      request: new Request<LeaderAddress>(this.#clock, options, giveUp, () => {
        this.#asked = this.#asked.filter((one) => one !== asked);
      }),
    };
    this.#asked.push(asked);
    return asked.request.promise;
  }

  #onEnded({
    leadershipTransferId,
    outcome,
    to,
  }: Extract<RaftEvent, { readonly kind: 'leadership-transfer-ended' }>): void {
    const meant = this.#asked.filter(
      (one) =>
        one.leadershipTransferId.boot === leadershipTransferId.boot &&
        one.leadershipTransferId.sequence === leadershipTransferId.sequence,
    );
    for (const asked of meant) {
      asked.onEnded();
      if (outcome === 'stepped-down') asked.steppedDown = true;
      else {
        const why =
          outcome === 'timed-out'
            ? `${to} did not take over in time, though it still may`
            : `${to} is no voter any more`;
        asked.request.fail(new TransferFailed(outcome, `${why}; this replica goes on leading`));
      }
    }
  }

  #onLeader(id: NodeId): void {
    const leader = this.#leader() ?? { id, address: '' };
    for (const { steppedDown, to, request } of [...this.#asked]) {
      if (!steppedDown) continue;
      if (id === to) request.succeed(leader);
      else
        request.fail(new TransferFailed('another-leads', `${id} was elected instead of ${to}`, { leader }));
    }
  }
}

const giveUp: GiveUp = (_inLog, why, cause) =>
  new TransferFailed('gave-up', `it may still happen: ${why}`, { cause });
