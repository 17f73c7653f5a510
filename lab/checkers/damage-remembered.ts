import type { NodeId } from '../../src/raft/identity.ts';
import type { Envelope } from '../../src/raft/message.ts';
import type { LogPosition } from '../../src/storage/contract.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';
import { isBefore } from './log-terms.ts';
import { ReplicaBooks } from './replica-book.ts';

/**
 * A replica whose disk lost entries is held to the log that it had: until it holds as much again, by the order of
 * (term, index), it votes for nobody who lacks the last entry of that log, and does not campaign. By our own books,
 * whatever it knows of its loss itself.
 *
 * Does not check: damage that was not found yet, and pre-votes, which promise nothing.
 */
export class DamageRemembered implements Checker {
  readonly name = 'damage-remembered';
  readonly property =
    'Who lost entries that it acknowledged votes only for who holds as much, and does not campaign (paper 5.4.1).';
  readonly #books = new ReplicaBooks();
  /** The last entry of each candidate that asked for a vote, by voter, candidate and term. */
  readonly #candidacies = new Map<string, LogPosition>();

  observe(world: WorldObservation): Violation | null {
    const { replica, atMs } = world;
    this.#books.observe(world);
    if (world.kind !== 'replica') return null;
    const { observation } = world;
    let sentence: string | null = null;
    if (observation.kind === 'received') this.#noteCandidate(replica, observation.envelope);
    else if (observation.kind === 'sent') sentence = this.#checkSent(replica, observation.envelope);
    return sentence === null ? null : { checker: this.name, sentence, atMs };
  }

  finish(): Violation | null {
    return null;
  }

  #noteCandidate(replica: NodeId, { from, message }: Envelope): void {
    if (message.kind !== 'RequestVote' || !this.#books.of(replica)?.lost) return;
    const last = { index: message.lastLogIndex, term: message.lastLogTerm };
    this.#candidacies.set(candidacy(replica, from, message.term), last);
  }

  #checkSent(replica: NodeId, { to, message }: Envelope): string | null {
    const lost = this.#books.of(replica)?.lost;
    if (!lost) return null;
    const missing = `while it lacks what it held up to entry ${lost.lastIndex} of term ${lost.lastTerm}`;
    if (message.kind === 'RequestVote') return `${replica} campaigned in term ${message.term} ${missing}`;
    if (message.kind !== 'VoteResponse' || !message.granted) return null;
    const last = this.#candidacies.get(
      candidacy(replica, { id: to.id, incarnation: to.incarnation ?? '' }, message.term),
    );
    if (last === undefined || !isBefore(last, lost.last)) return null;
    return `${replica} granted ${to.id}, whose log ends with entry ${last.index} of term ${last.term}, its vote in term ${message.term} ${missing}`;
  }
}

function candidacy(
  voter: NodeId,
  { id, incarnation }: { id: NodeId; incarnation: string },
  term: number,
): string {
  return `${voter} ${id}/${incarnation} ${term}`;
}
