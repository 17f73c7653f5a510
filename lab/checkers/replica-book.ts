import type { HardState, WriteEffect } from '../../src/raft/effect.ts';
import type { Index, Term } from '../../src/raft/entry.ts';
import type { MemberId, NodeId, RequestId } from '../../src/raft/identity.ts';
import { sameMember } from '../../src/raft/identity.ts';
import type { LogPosition, RecoveredLog, StorageIdentity } from '../../src/storage/contract.ts';
import type { WorldObservation } from './checker.ts';
import { isBefore, LogTerms } from './log-terms.ts';
import { cuts, type PendingWrite, replay, replayBoth } from './pending-write.ts';

/**
 * What one disk was given to write and what of it is durable, kept by us from what its replica was seen to
 * do. It is the second entry of double-entry bookkeeping: nothing is taken from the replica's own account of
 * itself.
 */
export class ReplicaBook {
  /** Where it runs: the replica's id, but for the double of a replica. */
  readonly machine: NodeId;
  readonly identity: StorageIdentity;
  /** The log with every write issued so far. */
  issued: LogTerms;
  /** The log as the last persisted write left it; of a damaged one, the part before what is missing. */
  persisted: LogTerms;
  /** With what is missing, and with what stands after it. The very same as `persisted` of a log that is whole. */
  promised: LogTerms;
  /**
   * The log that was promised when damage was found, until as much is held again, by (term, index): up to there it
   * is what votes are given by (docs/decisions/0010), so it counts as held.
   */
  lost: LogTerms | null = null;
  /**
   * The floor on the disk, while the snapshot that it stood on is lost: the log begins there again as soon as a newer one is
   * stored, though that one's own floor may not be written yet.
   */
  lostFloor: LogPosition | null = null;
  /** What was ever durable here and cut off again, which a disk that loses the cut shows once more. */
  former: LogTerms[] = [];
  persistedHardState: HardState;
  /** The vote of each term that was ever durable here. */
  readonly persistedVotes = new Map<Term, MemberId | null>();
  readonly pending: PendingWrite[] = [];
  /** The last entry of the latest snapshot that is durable here; (0, 0) when none was seen to be stored. */
  snapshot: { readonly index: Index; readonly term: Term } = { index: 0, term: 0 };

  constructor(machine: NodeId, identity: StorageIdentity, recovered: RecoveredLog) {
    this.machine = machine;
    this.identity = identity;
    this.issued = new LogTerms(recovered);
    this.persisted = new LogTerms(recovered);
    this.promised = this.persisted;
    this.persistedHardState = recovered.hardState;
    this.persistedVotes.set(recovered.hardState.term, recovered.hardState.votedFor);
  }

  /**
   * The last index that a crash at this moment cannot take away: of the log, or of a snapshot that was stored
   * and whose floor is still on its way to the disk.
   */
  get durableEnd(): Index {
    let end = this.persisted.lastIndex;
    for (const { cutFrom, floor } of this.pending) {
      if (cutFrom !== null && cutFrom <= end) end = cutFrom - 1;
      // A floor that replaces the log takes away what stands above it; what it covers is in a snapshot.
      if (floor !== null && floor.index < end && !this.persisted.mayHold(floor.index, floor.term)) {
        end = floor.index;
      }
    }
    return Math.max(end, this.snapshot.index);
  }

  /** The term of what is durable at an index; null when nothing is, or what is there lies within a snapshot. */
  durableTermAt(index: Index): Term | null {
    if (index === this.snapshot.index) return this.snapshot.term;
    return index <= this.durableEnd ? this.persisted.termAt(index) : null;
  }

  /** Whether a crash at this moment leaves this entry here. A snapshot stands for what it covers. */
  holds(index: Index, term: Term): boolean {
    if (index < Math.max(this.snapshot.index, this.persisted.floorIndex)) return true;
    if (this.durableTermAt(index) === term || this.lost?.mayHold(index, term) === true) return true;
    return index <= this.durableEnd && this.persisted.mayHold(index, term);
  }

  /** The page after this one, of the same disk. */
  continueIn(next: ReplicaBook, { damage, floor }: Pick<RecoveredLog, 'damage' | 'floor'>): void {
    // A log that begins before its floor lost the snapshot that the floor stood on, and all that came after.
    const isLost = floor.index < this.promised.floorIndex;
    next.snapshot = isLost ? { index: floor.index, term: floor.term } : this.snapshot;
    if (isLost) next.lostFloor = { index: this.promised.floorIndex, term: this.promised.floorTerm };
    else if (this.lostFloor !== null && floor.index < this.lostFloor.index) next.lostFloor = this.lostFloor;
    for (const [term, vote] of this.persistedVotes) {
      if (!next.persistedVotes.has(term)) next.persistedVotes.set(term, vote);
    }
    next.former = [...this.former, ...this.#cutByPending()].filter((log) =>
      reachesPastFloor(log, next.persisted),
    );
    next.lost = this.lost;
    if (damage !== null) {
      next.promised = this.#promisedWithEnd(damage.end, floor).copy();
      next.promised.beginEarlier(floor);
      if (next.lost === null || isBefore(next.lost.last, next.promised.last))
        next.lost = next.promised.copy();
    }
    next.#noteHeld();
  }

  /** Peers gave back what was missing, up to this entry. */
  repaired(through: Index): void {
    this.promised.cut(through + 1);
    this.persisted = this.promised;
    this.issued = this.persisted.copy();
    for (const write of this.pending) replay(write, this.issued);
    this.#noteHeld();
  }

  write(write: WriteEffect): void {
    const { writeId, hardState = null, cutFrom = null, floor = null, entries } = write;
    const pending = { writeId, hardState, cutFrom, floor, terms: entries.map((entry) => entry.term) };
    this.pending.push(pending);
    replay(pending, this.issued);
  }

  /** Storages acknowledge in order, so this covers every earlier write too. */
  persist(writeId: RequestId): void {
    let next = this.pending[0];
    while (next && next.writeId.boot === writeId.boot && next.writeId.sequence <= writeId.sequence) {
      this.#persist(next);
      if (next.hardState) {
        this.persistedHardState = next.hardState;
        this.persistedVotes.set(next.hardState.term, next.hardState.votedFor);
      }
      this.pending.shift();
      next = this.pending[0];
    }
    this.#noteHeld();
  }

  /** What a crash may leave: the log as of the last acknowledged write, or with some first few of those under way; as it begins there. */
  *possible(floor: { readonly index: Index }): Generator<PossibleLog> {
    const again = this.lostFloor?.index === floor.index ? this.lostFloor : null;
    const persisted = this.persisted.copy();
    let promised = this.promised === this.persisted ? persisted : this.promised.copy();
    yield { persisted, promised };
    if (again !== null) yield afterFloor(again, { persisted, promised });
    for (const write of this.pending) {
      promised = replayBoth(write, persisted, promised);
      yield { persisted, promised };
      if (again !== null) yield afterFloor(again, { persisted, promised });
    }
  }

  #persist(write: PendingWrite): void {
    if (cuts(write, this.persisted)) this.former.push(this.persisted.copy());
    this.promised = replayBoth(write, this.persisted, this.promised);
    if (write.floor !== null) {
      this.lostFloor = null;
      this.former = this.former.filter((log) => reachesPastFloor(log, this.persisted));
    }
  }

  #noteHeld(): void {
    if (this.lost !== null && !isBefore(this.persisted.last, this.lost.last)) this.lost = null;
  }

  /**
   * What was promised when damage was found, up to this entry of it; null when it was none of that. Where a leader's log
   * takes the place of what is lost, from the beginning on, the floor on the disk still tells how far it went.
   */
  lostUpTo(end: LogPosition | null): LogTerms | null {
    if (end === null || this.lost === null || this.lost.termAt(end.index) !== end.term) return null;
    const lost = this.lost.copy();
    lost.cut(end.index + 1);
    return lost;
  }

  #promisedWithEnd(end: LogPosition | null, floor: { readonly index: Index }): LogTerms {
    for (const possible of this.possible(floor)) {
      for (const log of [possible.promised, possible.persisted]) {
        if (log.lastIndex === end?.index && log.lastTerm === end.term) return log;
      }
    }
    return this.lostUpTo(end) ?? this.promised;
  }

  /** Whatever a write under way cuts off may have been cut off on the disk. */
  #cutByPending(): LogTerms[] {
    const log = this.promised.copy();
    return this.pending.flatMap((write) => {
      const before = cuts(write, log) ? [log.copy()] : [];
      replay(write, log);
      return before;
    });
  }
}

/** What a disk may hold after a crash; each is so until the next one is asked for. */
interface PossibleLog {
  /** Up to the first thing that is missing. */
  readonly persisted: LogTerms;
  /** All of it: the very same of a log that is whole. */
  readonly promised: LogTerms;
}

/** The same where the log begins after this entry again, as a newer snapshot is stored. */
function afterFloor({ index, term }: LogPosition, possible: PossibleLog): PossibleLog {
  const persisted = possible.persisted.copy();
  const isWhole = possible.promised === possible.persisted;
  const promised = isWhole ? persisted : possible.promised.copy();
  for (const log of new Set([persisted, promised])) log.beginAfter(index, term);
  return { persisted, promised };
}

/** Of one that does not, nothing can show in the other any more. */
function reachesPastFloor({ lastIndex }: LogTerms, { floorIndex }: LogTerms): boolean {
  return lastIndex > floorIndex;
}

/**
 * The books of all disks there ever were. A reopened storage begins a new page from what it holds; an
 * emptied disk begins another book, for it makes another server, and the old one tells for ever what that
 * server had promised when it was lost. A disk that was set back begins a page that knows nothing of what was
 * lost: neither a snapshot nor a vote of later is there any more.
 */
export class ReplicaBooks {
  readonly #present = new Map<NodeId, ReplicaBook>();
  /** By member, then by machine: a copied directory runs elsewhere under the same name. */
  readonly #ofMembers = new Map<string, Map<NodeId, ReplicaBook>>();

  /** Of what runs, or ran last, on this machine. */
  of(machine: NodeId): ReplicaBook | null {
    return this.#present.get(machine) ?? null;
  }

  /** The books of exactly this member: one, or more where its disk was copied; none before it opened. */
  ofMember({ id, incarnation }: MemberId): readonly ReplicaBook[] {
    const books = this.#ofMembers.get(`${id}/${incarnation}`);
    return books ? [...books.values()] : [];
  }

  observe(world: WorldObservation): void {
    if (world.kind === 'wiped' || world.kind === 'rolled-back') this.#present.delete(world.replica);
    if (world.kind !== 'replica') return;
    const { observation, replica } = world;
    switch (observation.kind) {
      case 'opened':
        this.#open(replica, observation.identity, observation.recovered);
        break;
      case 'write':
        this.#present.get(replica)?.write(observation.write);
        break;
      case 'persisted':
        this.#present.get(replica)?.persist(observation.writeId);
        break;
      case 'raft-event': {
        const { event } = observation;
        if (event.kind === 'log-repaired') this.#present.get(replica)?.repaired(event.to);
        break;
      }
      case 'snapshot-stored': {
        const book = this.#present.get(replica);
        const { index, term } = observation.meta;
        if (book && index > book.snapshot.index) book.snapshot = { index, term };
        break;
      }
    }
  }

  #open(machine: NodeId, identity: StorageIdentity, recovered: RecoveredLog): void {
    const book = new ReplicaBook(machine, identity, recovered);
    const earlier = this.#present.get(machine);
    if (earlier && sameMember(earlier.identity, identity)) earlier.continueIn(book, recovered);
    this.#present.set(machine, book);
    const key = `${identity.id}/${identity.incarnation}`;
    const books = this.#ofMembers.get(key) ?? new Map<NodeId, ReplicaBook>();
    this.#ofMembers.set(key, books.set(machine, book));
  }
}
