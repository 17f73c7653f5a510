import type { Index, Term } from '../../src/raft/entry.ts';
import type { MemberId, NodeId } from '../../src/raft/identity.ts';
import { sameMember } from '../../src/raft/identity.ts';
import type { Envelope } from '../../src/raft/message.ts';
import { type Checker, endsProcess, type Violation, type WorldObservation } from './checker.ts';
import type { ReplicaBook } from './replica-book.ts';
import { ReplicaBooks } from './replica-book.ts';

/**
 * Every promise in a message is held against what the storage had acknowledged when it left:
 *
 * - a request for votes, a granted vote and whatever a leader sends need the vote durable;
 * - a match index needs the term durable, and the log, or a snapshot, durable up to it: not only written
 *   once, but out of reach of every cut issued since, and of the term the leader holds there.
 *
 * Refusals, pre-votes and `verifiedIndex` promise nothing and may leave at any time.
 *
 * Does not check: whether the storage told the truth (persisted-survives does, at the next crash); the
 * content behind a match index when its leader no longer leads.
 */
export class DurableBeforeSend implements Checker {
  readonly name = 'durable-before-send';
  readonly property = 'Nothing is promised to another replica before it is durable (paper, figure 2).';
  readonly #books = new ReplicaBooks();
  readonly #leading = new Map<NodeId, Term>();

  observe(world: WorldObservation): Violation | null {
    const { replica, atMs } = world;
    this.#books.observe(world);
    if (world.kind !== 'replica') {
      if (endsProcess(world)) this.#leading.delete(replica);
      return null;
    }
    const { observation } = world;
    switch (observation.kind) {
      case 'opened':
        this.#leading.delete(replica);
        return null;
      case 'step': {
        const { role, hardState } = observation.state;
        if (role === 'leader') this.#leading.set(replica, hardState.term);
        else this.#leading.delete(replica);
        return null;
      }
      case 'sent': {
        const sentence = this.#checkSent(replica, observation.envelope);
        return sentence === null ? null : { checker: this.name, sentence, atMs };
      }
      default:
        return null;
    }
  }

  finish(): Violation | null {
    return null;
  }

  #checkSent(replica: NodeId, { from, to, message }: Envelope): string | null {
    const book = this.#books.of(replica);
    if (!book) return `${replica} sent ${message.kind} before it opened its storage`;
    switch (message.kind) {
      case 'RequestVote':
        return checkVote(book, from, message.term, `${replica} asked ${to.id} for its vote`);
      case 'AppendEntries':
      case 'Heartbeat':
        return checkVote(book, from, message.term, `${replica} led ${to.id}`);
      case 'VoteResponse': {
        if (!message.granted) return null;
        const candidate = { id: to.id, incarnation: to.incarnation ?? '' };
        return checkVote(book, candidate, message.term, `${replica} granted ${to.id} its vote`);
      }
      case 'AppendEntriesResponse':
        return message.accepted ? this.#checkMatch(replica, book, to, message) : null;
      case 'HeartbeatResponse':
        return this.#checkMatch(replica, book, to, message);
      default:
        return null;
    }
  }

  #checkMatch(
    replica: NodeId,
    book: ReplicaBook,
    to: Envelope['to'],
    { kind, term, matchIndex }: { kind: string; term: Term; matchIndex: Index },
  ): string | null {
    if (matchIndex === 0) return null;
    const said = `${replica} told ${to.id} in ${kind} of term ${term} that it holds up to entry ${matchIndex}`;
    if (book.persistedHardState.term < term) {
      return `${said}, but only term ${book.persistedHardState.term} was durable`;
    }
    if (matchIndex > book.durableEnd) return `${said}, but only entry ${book.durableEnd} was durable`;
    const heldTerm = book.durableTermAt(matchIndex);
    const leaderBook = this.#books
      .ofMember({ id: to.id, incarnation: to.incarnation ?? '' })
      .find(({ machine }) => this.#leading.get(machine) === term);
    if (!leaderBook || heldTerm === null || matchIndex < leaderBook.issued.floorIndex) return null;
    const leaderTerm = leaderBook.issued.termAt(matchIndex);
    if (leaderTerm === heldTerm) return null;
    const leaders =
      leaderTerm === null
        ? `the log of ${to.id} ends at ${leaderBook.issued.lastIndex}`
        : `that of ${to.id} is of term ${leaderTerm}`;
    return `${said}, but its entry there is of term ${heldTerm}, and ${leaders}`;
  }
}

function checkVote(book: ReplicaBook, candidate: MemberId, term: Term, did: string): string | null {
  const vote = book.persistedVotes.get(term);
  if (vote && sameMember(vote, candidate)) return null;
  const durable = book.persistedVotes.has(term)
    ? `its durable vote of that term was ${vote ? `for ${vote.id}` : 'not given'}`
    : `only term ${book.persistedHardState.term} was durable`;
  return `${did} in term ${term}, but ${durable}`;
}
