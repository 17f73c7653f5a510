import {
  Closed,
  MembershipAborted,
  MembershipRefused,
  NotLeader,
  OutcomeUnknown,
} from '../../src/node/errors.ts';
import type { Configuration } from '../../src/raft/configuration.ts';
import type { Index } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { describeChange } from '../faults/membership.ts';
import type { OrderedChange } from './world.ts';

/** A cluster as its operator reaches it. */
export interface OperatedCluster {
  leader(): NodeId | null;
  /** Asks this replica for the change. null: nobody listens there. It may never settle. */
  ask(replica: NodeId, change: OrderedChange, timeoutMs: number): Promise<Configuration> | null;
  /** What this replica goes by now, and how much of its log it knows to be committed; null: nobody listens. */
  knows(replica: NodeId): { readonly configuration: Configuration; readonly commitIndex: Index } | null;
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
  /** Called when an answer was no answer to what was asked, with the reason. It is asked for no more. */
  readonly wrong: (sentence: string) => void;
}

const ASK_AGAIN_MS = 100;
/** A leader that does not answer for so long may be gone. */
const ANSWER_WITHIN_MS = 5_000;

/** These pass: another leads, or will; what is under way ends; who is not there yet comes. */
const passing: readonly MembershipRefused['reason'][] = [
  'not-leader',
  'change-in-progress',
  'term-not-committed',
  'newcomer-not-heard',
];
/** What is said of a change that has come about already, in part at least. */
const soAlready: readonly MembershipRefused['reason'][] = [
  'nothing-to-change',
  'already-member',
  'unknown-member',
];

/**
 * Asks for one change of the membership at a time, as a person with a terminal does: of whoever leads, again
 * when refused for a reason that passes or when the outcome is unknown, until the cluster says that it is so.
 * A change may have come about though its answer was lost: that is looked up before it is asked for again.
 *
 * It holds the replicas to their word: what they call done is as asked, and committed where they say so, and
 * nothing that can be done is refused.
 */
export class Operator {
  readonly #options: OperatorOptions;
  #attempt = 0;
  #lastAnswer = 'nobody answered';
  /** Of the present change: some earlier attempt may have brought it about. */
  #mayBeSo = false;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  /** @param onOver - called once, when it is so, or too late. */
  change(change: OrderedChange, onOver: () => void): void {
    this.#lastAnswer = 'nobody answered';
    this.#mayBeSo = false;
    this.#try(change, this.#options.nowMs(), onOver);
  }

  #try(change: OrderedChange, sinceMs: number, onOver: () => void): void {
    const { cluster, nowMs, schedule, withinMs, late, wrong } = this.#options;
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
    const blame = (sentence: string): void => {
      this.#attempt += 1;
      wrong(`asked to ${describeChange(change)}, ${sentence}`);
      onOver();
    };
    const leader = cluster.leader();
    const asked = leader === null ? null : cluster.ask(leader, change, ANSWER_WITHIN_MS);
    if (leader === null || asked === null) {
      again(leader === null ? 'no replica leads' : `${leader} cannot be reached`);
      return;
    }
    asked.then(
      (configuration) => {
        if (this.#attempt !== attempt) return;
        const lie = lieIn(change, configuration, cluster.knows(leader));
        this.#mayBeSo = true;
        if (lie === null) again(`${leader} said that it is so`, 0);
        else blame(`${leader} said that it is so, with ${lie}`);
      },
      (error: unknown) => {
        if (this.#attempt !== attempt) return;
        const said = `${leader} said: ${error instanceof Error ? error.message : String(error)}`;
        if (!this.#mayBeRefused(error)) {
          blame(said);
          return;
        }
        if (error instanceof OutcomeUnknown) this.#mayBeSo = true;
        again(said);
      },
    );
    schedule(ANSWER_WITHIN_MS, 'the operator waits no longer', () => {
      if (this.#attempt === attempt) this.#mayBeSo = true;
      again(`${leader} did not answer`);
    });
  }

  #mayBeRefused(error: unknown): boolean {
    if (error instanceof MembershipRefused) {
      return passing.includes(error.reason) || (this.#mayBeSo && soAlready.includes(error.reason));
    }
    return (
      error instanceof OutcomeUnknown ||
      error instanceof MembershipAborted ||
      error instanceof NotLeader ||
      error instanceof Closed
    );
  }
}

/** What is wrong with a configuration that was given for an answer; null: nothing. */
function lieIn(
  change: OrderedChange,
  answer: Configuration,
  known: ReturnType<OperatedCluster['knows']>,
): string | null {
  if (!isSo(change, answer)) return `configuration ${answer.id}, which is not what was asked for`;
  if (known === null) return null;
  const index = indexOf(answer);
  if (index > known.commitIndex) {
    return `configuration ${answer.id}, though it knows of no commitment after entry ${known.commitIndex}`;
  }
  const { id } = known.configuration;
  if (indexOf(known.configuration) < index || (indexOf(known.configuration) === index && id !== answer.id)) {
    return `configuration ${answer.id}, though it goes by ${id}`;
  }
  return null;
}

/** An id is `index.term` of the entry that brought it. */
function indexOf({ id }: Configuration): Index {
  return Number.parseInt(id, 10);
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
