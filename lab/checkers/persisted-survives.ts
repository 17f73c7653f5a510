import type { HardState } from '../../src/raft/effect.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { sameMember } from '../../src/raft/identity.ts';
import type { Envelope } from '../../src/raft/message.ts';
import type { RecoveredLog, StorageIdentity } from '../../src/storage/contract.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';
import { LogTerms } from './log-terms.ts';
import type { ReplicaBook } from './replica-book.ts';
import { ReplicaBooks, replay } from './replica-book.ts';

/**
 * Holds what a storage recovers against what it acknowledged. Writes are atomic and ordered, so the log
 * must be the replay of all acknowledged writes and of some first few of those under way, exactly: nothing
 * acknowledged missing, nothing cut come back, nothing invented. The hard state may be of any of them from
 * the last acknowledged on (it may reach the disk before its write's entries).
 *
 * A disk that was emptied makes another server, with an incarnation never seen before; and so does a replica
 * that gives its disk up, which it may do only when the cluster has told it that it does not take it any more.
 *
 * Does not check: the bytes of entries (log-matching and state-machine-safety know them by their digests,
 * once they are applied), and disks that were set back on purpose.
 */
export class PersistedSurvives implements Checker {
  readonly name = 'persisted-survives';
  readonly property =
    'A reopened storage holds every write it acknowledged, and no state it never had (paper, figure 2).';
  readonly #books = new ReplicaBooks();

  /** Who was told, in its present boot, that its pair is taken no more, by machine. */
  readonly #mayForget = new Set<NodeId>();
  readonly #setBack = new Set<NodeId>();
  readonly #incarnations = new Set<string>();

  observe(world: WorldObservation): Violation | null {
    const { replica } = world;
    let sentence: string | null = null;
    if (world.kind === 'rolled-back') this.#setBack.add(replica);
    else if (world.kind === 'replica' && world.observation.kind === 'opened') {
      const { identity, recovered } = world.observation;
      sentence = this.#checkOpened(replica, identity, recovered);
      this.#incarnations.add(identity.incarnation);
      this.#mayForget.delete(replica);
      this.#setBack.delete(replica);
    } else if (world.kind === 'replica' && world.observation.kind === 'received') {
      if (tellsToForget(world.observation.envelope, this.#books.of(replica))) this.#mayForget.add(replica);
    }
    this.#books.observe(world);
    return sentence === null ? null : { checker: this.name, sentence, atMs: world.atMs };
  }

  finish(): Violation | null {
    return null;
  }

  #checkOpened(replica: NodeId, identity: StorageIdentity, recovered: RecoveredLog): string | null {
    const book = this.#books.of(replica);
    if (!book || this.#setBack.has(replica)) return null;
    const { incarnation } = identity;
    if (book.identity.incarnation === incarnation) {
      return checkHardState(replica, book, recovered.hardState) ?? checkLog(replica, book, recovered);
    }
    if (this.#mayForget.has(replica) && !this.#incarnations.has(incarnation)) return null;
    return `${replica} came back as incarnation ${incarnation}, having lost the disk of ${book.identity.incarnation}`;
  }
}

/** What is said to another incarnation or boot, however late it comes, excuses nothing. */
function tellsToForget({ to, message }: Envelope, book: ReplicaBook | null): boolean {
  if (message.kind !== 'JoinAnswer' || message.answer !== 'boot-went-back' || book === null) return false;
  const { incarnation, boot } = book.identity;
  return to.incarnation === incarnation && message.boot === boot;
}

function checkHardState(replica: NodeId, book: ReplicaBook, recovered: HardState): string | null {
  const { persistedHardState } = book;
  const possible = [persistedHardState, ...book.pending.flatMap(({ hardState }) => hardState ?? [])];
  if (possible.some((hardState) => sameHardState(hardState, recovered))) return null;
  return `${replica} recovered ${describeHardState(recovered)}, having persisted ${describeHardState(persistedHardState)}`;
}

function sameHardState(a: HardState, b: HardState): boolean {
  if (a.term !== b.term) return false;
  if (a.votedFor === null || b.votedFor === null) return a.votedFor === b.votedFor;
  return sameMember(a.votedFor, b.votedFor);
}

function describeHardState({ term, votedFor }: HardState): string {
  return `term ${term} with ${votedFor ? `a vote for ${votedFor.id}` : 'no vote'}`;
}

function checkLog(replica: NodeId, book: ReplicaBook, recovered: RecoveredLog): string | null {
  const found = new LogTerms(recovered);
  const possible = book.persisted.copy();
  if (sameLog(possible, found)) return null;
  for (const write of book.pending) {
    replay(write, possible);
    if (sameLog(possible, found)) return null;
  }
  const { persisted, durableEnd, issued } = book;
  const lost = persisted.firstDifference(found, durableEnd);
  if (lost !== null) {
    const had = `${replica} persisted entry ${lost} of term ${persisted.termAt(lost)}`;
    const instead = found.termAt(lost);
    return instead === null
      ? `${had}, never cut it, and recovered a log that ends at ${found.lastIndex}`
      : `${had}, never cut it, and recovered one of term ${instead} in its place`;
  }
  return `${replica} recovered a log it never had: ${describeLog(found)}; persisted was ${describeLog(persisted)}, the last write issued would make it ${describeLog(issued)}`;
}

function sameLog(a: LogTerms, b: LogTerms): boolean {
  return (
    a.lastIndex === b.lastIndex &&
    a.floorIndex === b.floorIndex &&
    a.floorTerm === b.floorTerm &&
    a.firstDifference(b, a.lastIndex) === null
  );
}

function describeLog(log: LogTerms): string {
  return log.lastIndex === log.floorIndex
    ? `empty after ${log.floorIndex}`
    : `after ${log.floorIndex} up to entry ${log.lastIndex} of term ${log.lastTerm}`;
}
