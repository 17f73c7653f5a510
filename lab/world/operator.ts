import type { Configuration } from '../../src/raft/configuration.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { describeChange } from '../faults/membership.ts';
import type { OrderedChange } from './world.ts';

/** A cluster as its operator reaches it. */
export interface OperatedCluster {
  leader(): NodeId | null;
  /** Asks this replica for the change. null: nobody listens there. It may never settle. */
  ask(replica: NodeId, change: OrderedChange, timeoutMs: number): Promise<unknown> | null;
  /** The configuration that the leader knows to be committed, if no change is under way; else null. */
  settled(): Configuration | null;
}

export interface OperatorOptions {
  readonly cluster: OperatedCluster;
  readonly nowMs: () => number;
  readonly schedule: (delayMs: number, label: string, callback: () => void) => void;
  /** How long a change may take. */
  readonly withinMs: number;
  /** Called when one took longer, with the reason. It is asked for no more. */
  readonly late: (sentence: string) => void;
}

const ASK_AGAIN_MS = 100;
/** A leader that does not answer for so long may be gone. */
const ANSWER_WITHIN_MS = 5_000;

/**
 * Asks for one change of the membership at a time, as a person with a terminal does: of whoever leads, again
 * when refused or when the outcome is unknown, until the cluster says that it is so. A change may have come
 * about though its answer was lost: that is looked up before it is asked for again.
 */
export class Operator {
  readonly #options: OperatorOptions;
  #attempt = 0;
  #lastAnswer = 'nobody answered';

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  /** @param onOver - called once, when it is so, or too late. */
  change(change: OrderedChange, onOver: () => void): void {
    this.#lastAnswer = 'nobody answered';
    this.#try(change, this.#options.nowMs(), onOver);
  }

  #try(change: OrderedChange, sinceMs: number, onOver: () => void): void {
    const { cluster, nowMs, schedule, withinMs, late } = this.#options;
    const settled = cluster.settled();
    if (settled !== null && isSo(change, settled)) {
      onOver();
      return;
    }
    if (nowMs() - sinceMs >= withinMs) {
      const sentence = `within ${withinMs} ms after ${sinceMs} ms the membership did not become what was asked for (${describeChange(change)}): ${this.#lastAnswer}`;
      late(sentence);
      onOver();
      return;
    }
    this.#attempt += 1;
    const attempt = this.#attempt;
    const again = (answer: string, afterMs = ASK_AGAIN_MS): void => {
      // An answer that comes later than the next attempt is no news.
      if (this.#attempt !== attempt) return;
      this.#attempt += 1;
      this.#lastAnswer = answer;
      schedule(afterMs, 'the operator asks again', () => this.#try(change, sinceMs, onOver));
    };
    const leader = cluster.leader();
    const asked = leader === null ? null : cluster.ask(leader, change, ANSWER_WITHIN_MS);
    if (asked === null) {
      again(leader === null ? 'no replica leads' : `${leader} cannot be reached`);
      return;
    }
    asked.then(
      () => again(`${leader} said that it is so`, 0),
      (error: unknown) => again(`${leader} said: ${error instanceof Error ? error.message : String(error)}`),
    );
    schedule(ANSWER_WITHIN_MS, 'the operator waits no longer', () => again(`${leader} did not answer`));
  }
}

/** Whether the configuration is what the change was to make of it, whoever made it so. */
export function isSo(change: OrderedChange, { voters, outgoing, learners }: Configuration): boolean {
  const votes = (id: NodeId): boolean => voters.some((member) => member.id === id);
  const learns = (id: NodeId): boolean => learners.some((member) => member.id === id);
  return (
    outgoing.length === 0 &&
    change.add.every(votes) &&
    change.promote.every(votes) &&
    change.addLearners.every((id) => learns(id) || votes(id)) &&
    change.demote.every((id) => learns(id) && !votes(id)) &&
    change.remove.every((id) => !learns(id) && !votes(id)) &&
    change.replace.every(({ id, by }) => !learns(id) && !votes(id) && (votes(by) || learns(by)))
  );
}
