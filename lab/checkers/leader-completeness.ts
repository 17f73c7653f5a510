import type { Index, Term } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { type Checker, endsProcess, type Violation, type WorldObservation } from './checker.ts';
import { LogTerms } from './log-terms.ts';
import { ReplicaBooks } from './replica-book.ts';

/**
 * Keeps one log of everything any replica took for committed, with the term in which it was, and holds it
 * against each leader of a later term: when it begins to lead, and again when a leader of an earlier term
 * commits something while it leads.
 *
 * A leader of an earlier term elected late owes nothing to later terms, and is not held to them.
 *
 * Does not check: whether what replicas took for committed was (commit-quorum does).
 */
export class LeaderCompleteness implements Checker {
  readonly name = 'leader-completeness';
  readonly property =
    'An entry committed in a term is in the log of every leader of a later term (paper 5.4.3).';
  readonly #books = new ReplicaBooks();
  readonly #committed = new LogTerms();
  /** Up to which index it was committed in which term, in the order this was seen. */
  readonly #commitTerms: { readonly term: Term; through: Index }[] = [];
  readonly #leaders = new Map<NodeId, Term>();

  observe(world: WorldObservation): Violation | null {
    const { replica, atMs } = world;
    this.#books.observe(world);
    if (world.kind !== 'replica') {
      if (endsProcess(world)) this.#leaders.delete(replica);
      return null;
    }
    const { observation } = world;
    if (observation.kind === 'opened') this.#leaders.delete(replica);
    if (observation.kind !== 'step') return null;

    const { role, hardState, commitIndex } = observation.state;
    const { term } = hardState;
    const log = this.#books.of(replica)?.issued;
    if (!log) return null;
    let sentence: string | null = null;
    if (role !== 'leader') {
      this.#leaders.delete(replica);
    } else if (this.#leaders.get(replica) !== term) {
      this.#leaders.set(replica, term);
      sentence = this.#checkNewLeader(replica, term, log);
    }
    if (commitIndex > this.#committed.lastIndex) {
      sentence ??= this.#commit(log, commitIndex, term);
    }
    return sentence === null ? null : { checker: this.name, sentence, atMs };
  }

  finish(): Violation | null {
    return null;
  }

  #checkNewLeader(leader: NodeId, term: Term, log: LogTerms): string | null {
    let through = 0;
    for (const committed of this.#commitTerms) {
      if (committed.term < term) through = Math.max(through, committed.through);
    }
    const missing = this.#differenceAtFloor(log, through) ?? this.#committed.firstDifference(log, through);
    return missing === null ? null : this.#missing(leader, term, log, missing);
  }

  /** What lies below a floor is in a snapshot, whose last entry must be the committed one. */
  #differenceAtFloor({ floorIndex, floorTerm }: LogTerms, through: Index): Index | null {
    if (floorIndex === 0 || floorIndex > through) return null;
    return this.#committed.termAt(floorIndex) === floorTerm ? null : floorIndex;
  }

  #commit(log: LogTerms, commitIndex: Index, term: Term): string | null {
    const from = this.#committed.lastIndex + 1;
    for (let index = from; index <= commitIndex; index += 1) {
      const entryTerm = log.termAt(index);
      if (entryTerm === null) break;
      this.#committed.append(entryTerm);
    }
    const last = this.#commitTerms.at(-1);
    if (last && last.term === term) last.through = this.#committed.lastIndex;
    else this.#commitTerms.push({ term, through: this.#committed.lastIndex });

    for (const [leader, leaderTerm] of this.#leaders) {
      if (leaderTerm <= term) continue;
      const leaderLog = this.#books.of(leader)?.issued;
      if (!leaderLog) continue;
      for (let index = from; index <= this.#committed.lastIndex; index += 1) {
        if (index < leaderLog.floorIndex) continue;
        if (leaderLog.termAt(index) !== this.#committed.termAt(index)) {
          return this.#missing(leader, leaderTerm, leaderLog, index);
        }
      }
    }
    return null;
  }

  #missing(leader: NodeId, term: Term, log: LogTerms, index: Index): string {
    const committedTerm = this.#committed.termAt(index);
    const instead = log.termAt(index);
    const has = instead === null ? `ends at ${log.lastIndex}` : `has one of term ${instead} there`;
    return `${leader} leads term ${term} without committed entry ${index} of term ${committedTerm}: its log ${has}`;
  }
}
