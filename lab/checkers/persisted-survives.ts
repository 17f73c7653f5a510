import type { HardState, MissingEntries } from '../../src/raft/effect.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { sameMember } from '../../src/raft/identity.ts';
import type { Envelope } from '../../src/raft/message.ts';
import type { LogDamage, LogPosition, RecoveredLog, StorageIdentity } from '../../src/storage/contract.ts';
import { holdPromises } from '../scenario/fault-traits.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';
import { falseClaim } from './damage-claim.ts';
import { isBefore, LogTerms } from './log-terms.ts';
import type { ReplicaBook } from './replica-book.ts';
import { ReplicaBooks } from './replica-book.ts';

/**
 * Holds what a storage recovers against what it acknowledged. Writes are atomic and ordered, so the log
 * must be the replay of all acknowledged writes and of some first few of those under way, exactly: nothing
 * acknowledged missing, nothing cut come back, nothing invented. The hard state may be of any of them from
 * the last acknowledged on (it may reach the disk before its write's entries).
 *
 * A disk that rotted may have lost anything. It must say so (docs/decisions/0010): what it says it holds is true, and
 * what was acknowledged and is not held is within what it says is missing, at this opening and every one after it
 * until as much is held again. Term and vote are not let go for that. Nothing may be missing where nothing rotted.
 *
 * A disk that was emptied makes another server, with an incarnation never seen before; and so does a replica
 * that gives its disk up, which it may do only when the cluster has told it that it does not take it any more, or
 * when what it had promised rotted: its hard state, its identity, or the floor of its log.
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
  readonly #rotten = new Map<NodeId, Rotten>();
  readonly #incarnations = new Set<string>();

  observe(world: WorldObservation): Violation | null {
    const { replica } = world;
    let sentence: string | null = null;
    if (world.kind === 'rolled-back') this.#setBack.add(replica);
    else if (world.kind === 'wiped') this.#rotten.delete(replica);
    else if (world.kind === 'rotted') {
      const before = this.#rotten.get(replica);
      const ofPromises = holdPromises(world.what) || before?.ofPromises === true;
      const isSnapshot = world.what === 'snapshots' || before?.isSnapshot === true;
      this.#rotten.set(replica, { ofPromises, isSnapshot, isOver: false });
    } else if (world.kind === 'replica' && world.observation.kind === 'opened') {
      const { identity, recovered } = world.observation;
      sentence = this.#checkOpened(replica, identity, recovered);
      this.#incarnations.add(identity.incarnation);
      this.#mayForget.delete(replica);
      this.#setBack.delete(replica);
      if (recovered.damage === null) this.#noteWhole(replica);
    } else if (world.kind === 'replica' && world.observation.kind === 'received') {
      if (tellsToForget(world.observation.envelope, this.#books.of(replica))) this.#mayForget.add(replica);
    }
    this.#books.observe(world);
    return sentence === null ? null : { checker: this.name, sentence, atMs: world.atMs };
  }

  finish(): Violation | null {
    return null;
  }

  /**
   * What was promised is read at each opening. Twice, since what rots while a storage is being opened shows at the
   * opening after it. The log may show what rotted long after, when it is read.
   */
  #noteWhole(replica: NodeId): void {
    const rotten = this.#rotten.get(replica);
    if (rotten === undefined) return;
    this.#rotten.set(replica, { ...rotten, isOver: true, ofPromises: rotten.ofPromises && !rotten.isOver });
  }

  #checkOpened(replica: NodeId, identity: StorageIdentity, recovered: RecoveredLog): string | null {
    const book = this.#books.of(replica);
    if (!book || this.#setBack.has(replica)) return null;
    const { incarnation } = identity;
    if (book.identity.incarnation === incarnation) {
      const { damage } = recovered;
      if (damage !== null && !this.#rotten.has(replica)) {
        return `${replica} says that its log is damaged, and nothing rotted on its disk: ${damage.report}`;
      }
      const log =
        damage === null
          ? checkLog(replica, book, recovered)
          : checkDamaged(
              replica,
              book,
              { ...recovered, damage },
              this.#rotten.get(replica)?.isSnapshot === true,
            );
      return (
        checkHardState(replica, book, recovered.hardState) ?? checkRemembered(replica, book, recovered) ?? log
      );
    }
    const mayBeLost = this.#mayForget.has(replica) || this.#rotten.get(replica)?.ofPromises === true;
    if (mayBeLost && !this.#incarnations.has(incarnation)) return null;
    return `${replica} came back as incarnation ${incarnation}, having lost the disk of ${book.identity.incarnation}`;
  }
}

interface Rotten {
  readonly ofPromises: boolean;
  readonly isSnapshot: boolean;
  /** Opened whole once since. */
  readonly isOver: boolean;
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
  if (a.missing?.term !== b.missing?.term || a.missing?.index !== b.missing?.index) return false;
  if (a.votedFor === null || b.votedFor === null) return a.votedFor === b.votedFor;
  return sameMember(a.votedFor, b.votedFor);
}

function describeHardState({ term, votedFor, missing }: HardState): string {
  const lacks = missing
    ? `, missing up to ${missing.index ?? 'an unknown entry'} of term ${missing.term}`
    : '';
  return `term ${term} with ${votedFor ? `a vote for ${votedFor.id}` : 'no vote'}${lacks}`;
}

function checkLog(replica: NodeId, book: ReplicaBook, recovered: RecoveredLog): string | null {
  const found = new LogTerms(recovered);
  const saysMissing = recovered.hardState.missing !== undefined;
  for (const possible of book.possible(recovered.floor)) {
    if (sameLog(possible.promised, found)) return null;
    if (saysMissing && sameLog(possible.persisted, found)) return null;
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

/** Of every possible log the claim may be true of one. */
function checkDamaged(
  replica: NodeId,
  book: ReplicaBook,
  recovered: RecoveredLog & { readonly damage: LogDamage },
  mayLackSnapshot: boolean,
): string | null {
  const past = { former: book.former, mayLackSnapshot };
  let claimed: string | null = null;
  const saysMissing = recovered.hardState.missing !== undefined;
  for (const { promised, persisted } of book.possible(recovered.floor)) {
    const claim = falseClaim(recovered, promised, past);
    if (claim === null) return null;
    if (saysMissing && falseClaim(recovered, persisted, past) === null) return null;
    claimed ??= claim;
    // A leader's log takes the place of what a lost snapshot held, and does not reach its end yet.
    const lost = mayLackSnapshot && saysMissing ? book.lostUpTo(recovered.damage.end) : null;
    const isOfLeader = new LogTerms(recovered).firstDifference(persisted, recovered.lastIndex) === null;
    if (lost !== null && isOfLeader && falseClaim(recovered, lost, past) === null) return null;
  }
  return `${replica} recovered a damaged log and claims ${claimed}`;
}

/** What is missing stays missing over a restart, until as much is held. */
function checkRemembered(replica: NodeId, book: ReplicaBook, recovered: RecoveredLog): string | null {
  const { hardState, damage } = recovered;
  const found = new LogTerms(recovered);
  if (book.lost === null || !isBefore(found.last, book.lost.last)) return null;
  const said = [
    ...(hardState.missing === undefined ? [] : [hardState.missing]),
    ...(damage === null ? [] : [damage.end ?? { term: hardState.term, index: null }]),
  ];
  const reaches = ({ term, index }: MissingEntries): LogPosition => ({
    term,
    index: index ?? Number.POSITIVE_INFINITY,
  });
  const { last } = book.lost;
  if (said.some((missing) => !isBefore(reaches(missing), last))) return null;
  return (
    `${replica} lost what it held up to entry ${last.index} of term ${last.term}, recovered a log that ends at ` +
    `${found.lastIndex}, and does not say that so much is missing`
  );
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
