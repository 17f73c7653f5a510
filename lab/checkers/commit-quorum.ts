import type { Member } from '../../src/raft/configuration.ts';
import type { Index, Term } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import type { RaftState } from '../../src/raft/state.ts';
import { type Checker, endsProcess, type Violation, type WorldObservation } from './checker.ts';
import { LogTerms } from './log-terms.ts';
import type { ReplicaBook } from './replica-book.ts';
import { ReplicaBooks } from './replica-book.ts';

/**
 * Whoever moves the commit index beyond what was known to be committed must be a leader, must land on an
 * entry of its own term (figure 8: an older one may still be overwritten, however many hold it), and a
 * majority of voters, and of outgoing voters while there are any, must hold that entry durably by our own
 * books. Whoever follows must take the same entries for committed.
 *
 * Only the pairs that the leader's configuration lists count, learners never. A leader may commit and enter
 * the next configuration in one drain: it is enough that one in force during that drain agrees.
 *
 * Does not check: whether the configuration itself is the right one (configuration-overlap does).
 */
export class CommitQuorum implements Checker {
  readonly name = 'commit-quorum';
  readonly property =
    'An entry is committed only when a quorum holds it durably, in the term of the leader (paper 5.3, 5.4.2).';
  readonly #books = new ReplicaBooks();
  readonly #committed = new LogTerms();
  readonly #previous = new Map<NodeId, Previous>();

  observe(world: WorldObservation): Violation | null {
    const { replica, atMs } = world;
    this.#books.observe(world);
    if (world.kind !== 'replica') {
      if (endsProcess(world)) this.#previous.delete(replica);
      return null;
    }
    const { observation } = world;
    if (observation.kind === 'opened') {
      const { appliedIndex } = observation;
      this.#previous.set(replica, { ledTerm: null, commitIndex: appliedIndex, configurationIndex: 0 });
      return null;
    }
    if (observation.kind !== 'step') return null;
    const { state } = observation;
    const previous = this.#previous.get(replica);
    const book = this.#books.of(replica);
    if (!previous || !book) return null;
    const ledTerm = state.role === 'leader' ? state.hardState.term : null;
    let sentence: string | null = null;
    if (state.commitIndex > previous.commitIndex) {
      // A leader that commits and steps down within one drain is seen as a follower.
      sentence = this.#checkAdvance(book, state, ledTerm ?? previous.ledTerm, previous.configurationIndex);
    }
    previous.configurationIndex = state.configurations.at(-1)?.index ?? 0;
    previous.ledTerm = ledTerm;
    previous.commitIndex = state.commitIndex;
    return sentence === null ? null : { checker: this.name, sentence, atMs };
  }

  finish(): Violation | null {
    return null;
  }

  #checkAdvance(
    book: ReplicaBook,
    state: RaftState,
    ledTerm: Term | null,
    configurationIndex: Index,
  ): string | null {
    const { commitIndex } = state;
    const term = book.issued.termAt(commitIndex);
    const took = `${book.identity.id} took entry ${commitIndex}`;
    if (term === null) return `${took} for committed, but its log ends at ${book.issued.lastIndex}`;
    const known = this.#committed.termAt(commitIndex);
    if (known !== null) {
      return known === term
        ? null
        : `${took} of term ${term} for committed, but the committed one is of term ${known}`;
    }
    if (ledTerm === null) {
      return `${took} of term ${term} for committed, but no leader has committed beyond ${this.#committed.lastIndex}`;
    }
    if (term !== ledTerm) {
      return `${took} of term ${term} for committed while it led term ${ledTerm}, by counting replicas of an old term`;
    }
    const lacking = this.#lackingQuorum(state, configurationIndex, commitIndex, term);
    if (lacking !== null) return `${took} of term ${term} for committed, but ${lacking}`;
    for (let index = this.#committed.lastIndex + 1; index <= commitIndex; index += 1) {
      this.#committed.append(book.issued.termAt(index) ?? term);
    }
    return null;
  }

  /** null when a configuration in force since the last step agrees; else what the latest one lacks. */
  #lackingQuorum(state: RaftState, since: Index, index: Index, term: Term): string | null {
    let lacking: string | null = 'no configuration is in force';
    for (const { configuration, index: from } of [...state.configurations].reverse()) {
      const missing = [configuration.voters, configuration.outgoing].flatMap((voters) => {
        const holders = voters.filter((voter) => this.#holds(voter, index, term));
        if (voters.length === 0 || holders.length * 2 > voters.length) return [];
        const names = holders.map((holder) => holder.id).join(', ') || 'nobody';
        return [`of ${voters.length} voters only ${names} held it durably`];
      });
      if (missing.length === 0 && configuration.voters.length > 0) return null;
      if (from === state.configurations.at(-1)?.index) lacking = missing[0] ?? lacking;
      if (from <= since) break;
    }
    return lacking;
  }

  #holds(voter: Member, index: Index, term: Term): boolean {
    return this.#books.ofMember(voter).some((book) => book.holds(index, term));
  }
}

/** What a replica was seen to be at its last step. */
interface Previous {
  ledTerm: Term | null;
  commitIndex: Index;
  /** Of the configuration then in force. */
  configurationIndex: Index;
}
