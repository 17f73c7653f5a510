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
}

/**
 * What one replica has written and what of it is durable, kept by us from what it was seen to do. It is
 * the second entry of double-entry bookkeeping: nothing is taken from the replica's own account of itself.
 */
export class ReplicaBook {
  identity: StorageIdentity;
  /** The log with every write issued so far. */
  readonly issued: LogTerms;
  /** The log as the last persisted write left it. */
  readonly persisted: LogTerms;
  persistedHardState: HardState;
  /** The vote of each term that was ever durable here. */
  readonly persistedVotes = new Map<Term, MemberId | null>();
  readonly pending: PendingWrite[] = [];

  constructor(identity: StorageIdentity, recovered: RecoveredLog) {
    this.identity = identity;
    this.issued = new LogTerms(recovered);
    this.persisted = new LogTerms(recovered);
    this.persistedHardState = recovered.hardState;
    this.persistedVotes.set(recovered.hardState.term, recovered.hardState.votedFor);
  }

  /** The last index that a crash at this moment cannot take away. */
  get durableEnd(): Index {
    let end = this.persisted.lastIndex;
    for (const { cutFrom } of this.pending) {
      if (cutFrom !== null && cutFrom <= end) end = cutFrom - 1;
    }
    return end;
  }

  write(write: WriteEffect): void {
    const { writeId, hardState = null, cutFrom = null, entries } = write;
    const pending = { writeId, hardState, cutFrom, terms: entries.map((entry) => entry.term) };
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
  if (write.cutFrom !== null) log.cut(write.cutFrom);
  for (const term of write.terms) log.append(term);
}

/** The books of all replicas, by node id; a reopened storage begins a new book from what it holds. */
export class ReplicaBooks {
  readonly #books = new Map<NodeId, ReplicaBook>();

  of(replica: NodeId): ReplicaBook | null {
    return this.#books.get(replica) ?? null;
  }

  /** The book of exactly this member; null when its node now has another incarnation. */
  ofMember(member: MemberId): ReplicaBook | null {
    const book = this.#books.get(member.id);
    return book && sameMember(book.identity, member) ? book : null;
  }

  observe(world: WorldObservation): void {
    if (world.kind !== 'replica') return;
    const { observation, replica } = world;
    switch (observation.kind) {
      case 'opened': {
        const book = new ReplicaBook(observation.identity, observation.recovered);
        const earlier = this.ofMember(observation.identity);
        if (earlier) {
          for (const [term, vote] of earlier.persistedVotes) {
            if (!book.persistedVotes.has(term)) book.persistedVotes.set(term, vote);
          }
        }
        this.#books.set(replica, book);
        break;
      }
      case 'write':
        this.#books.get(replica)?.write(observation.write);
        break;
      case 'persisted':
        this.#books.get(replica)?.persist(observation.writeId);
        break;
    }
  }
}
