import type { HardState, WriteEffect } from '../../src/raft/effect.ts';
import type { Index, Term } from '../../src/raft/entry.ts';
import type { MemberId, NodeId, RequestId } from '../../src/raft/identity.ts';
import { sameMember } from '../../src/raft/identity.ts';
import type { RecoveredLog, StorageIdentity } from '../../src/storage/contract.ts';
import type { WorldObservation } from './checker.ts';
import { LogTerms } from './log-terms.ts';

/** A write handed to the storage and not yet durable: some, all or none of it is on the disk. */
export interface PendingWrite {
  readonly writeId: RequestId;
  readonly hardState: HardState | null;
  readonly cutFrom: Index | null;
  /** Terms of its entries, which follow the log's end after the cut. */
  readonly terms: readonly Term[];
  readonly floor: { readonly index: Index; readonly term: Term } | null;
}

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
  readonly issued: LogTerms;
  /** The log as the last persisted write left it. */
  readonly persisted: LogTerms;
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
      if (floor !== null && floor.index < end && this.persisted.termAt(floor.index) !== floor.term) {
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
    return this.durableTermAt(index) === term;
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
      replay(next, this.persisted);
      if (next.hardState) {
        this.persistedHardState = next.hardState;
        this.persistedVotes.set(next.hardState.term, next.hardState.votedFor);
      }
      this.pending.shift();
      next = this.pending[0];
    }
  }
}

/** Does to a log what a write does. */
export function replay(write: PendingWrite, log: LogTerms): void {
  if (write.floor !== null) log.beginAfter(write.floor.index, write.floor.term);
  if (write.cutFrom !== null) log.cut(write.cutFrom);
  for (const term of write.terms) log.append(term);
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
        this.#open(new ReplicaBook(replica, observation.identity, observation.recovered));
        break;
      case 'write':
        this.#present.get(replica)?.write(observation.write);
        break;
      case 'persisted':
        this.#present.get(replica)?.persist(observation.writeId);
        break;
      case 'snapshot-stored': {
        const book = this.#present.get(replica);
        const { index, term } = observation.meta;
        if (book && index > book.snapshot.index) book.snapshot = { index, term };
        break;
      }
    }
  }

  #open(book: ReplicaBook): void {
    const { machine, identity } = book;
    const earlier = this.#present.get(machine);
    if (earlier && sameMember(earlier.identity, identity)) {
      book.snapshot = earlier.snapshot;
      for (const [term, vote] of earlier.persistedVotes) {
        if (!book.persistedVotes.has(term)) book.persistedVotes.set(term, vote);
      }
    }
    this.#present.set(machine, book);
    const key = `${identity.id}/${identity.incarnation}`;
    const books = this.#ofMembers.get(key) ?? new Map<NodeId, ReplicaBook>();
    this.#ofMembers.set(key, books.set(machine, book));
  }
}
