import { sha256 } from '../doors/digest.ts';
import type { Index } from '../raft/entry.ts';
import { sameSnapshot } from '../raft/snapshot.ts';
import type { SnapshotMeta, SnapshotStorage } from './contract.ts';
import { SnapshotMismatch, type StorageFailed } from './errors.ts';
import { refuseLongerContent, refuseOtherContent } from './expected-content.ts';
import { rangeWithin } from './snapshot-range.ts';

interface KeptSnapshot {
  readonly meta: SnapshotMeta;
  readonly content: Uint8Array;
}

/** The snapshots of one group of a memory storage; they outlive a closed instance. */
export class MemorySnapshots {
  /** By index and term; one of each. */
  #kept: KeptSnapshot[] = [];

  #floor: Index = 0;
  #lastRead: SnapshotMeta | null = null;
  readonly #held = new Set<{ readonly meta: SnapshotMeta }>();

  dropBelow(floorIndex: Index): void {
    this.#floor = floorIndex;
    this.#thin();
  }

  /** As one instance sees them; `failure` tells why it may not any more. */
  door(failure: () => StorageFailed | null): SnapshotStorage {
    const refuseAfterFailure = (): void => {
      const failed = failure();
      if (failed !== null) throw failed;
    };
    return {
      latest: async () => {
        refuseAfterFailure();
        return this.#kept.at(-1)?.meta ?? null;
      },
      read: async (meta, range) => {
        refuseAfterFailure();
        const { offset, length } = rangeWithin(range, meta.size);
        if (!this.#isHeld(meta)) this.#lastRead = meta;
        const kept = this.#kept.find((one) => sameSnapshot(one.meta, meta));
        if (kept === undefined) throw new SnapshotMismatch(`no snapshot ${meta.digest} is kept`);
        return kept.content.slice(offset, offset + length);
      },
      hold: async (meta) => {
        refuseAfterFailure();
        if (!this.#kept.some((one) => sameSnapshot(one.meta, meta))) {
          throw new SnapshotMismatch(`no snapshot ${meta.digest} is kept`);
        }
        const hold = { meta };
        this.#held.add(hold);
        return () => {
          if (this.#held.delete(hold)) this.#thin();
        };
      },
      write: async ({ index, term, configuration }, chunks, expected) => {
        refuseAfterFailure();
        const digest = sha256();
        const parts: Uint8Array[] = [];
        let size = 0;
        for await (const chunk of chunks) {
          refuseAfterFailure();
          size += chunk.length;
          refuseLongerContent(size, expected);
          digest.update(chunk);
          parts.push(chunk.slice());
        }
        refuseAfterFailure();
        const meta: SnapshotMeta = { index, term, configuration, size, digest: digest.finish() };
        refuseOtherContent(meta, expected);
        this.#add({ meta, content: Buffer.concat(parts) });
        return meta;
      },
    };
  }

  #isHeld(meta: SnapshotMeta): boolean {
    return [...this.#held].some((hold) => sameSnapshot(hold.meta, meta));
  }

  #add(added: KeptSnapshot): void {
    const order = ({ meta }: KeptSnapshot): number =>
      meta.index - added.meta.index || meta.term - added.meta.term;
    const others = this.#kept.filter((one) => order(one) !== 0);
    const position = others.filter((one) => order(one) < 0).length;
    this.#kept = others.toSpliced(position, 0, added);
    this.#thin();
  }

  /** As files do: the newest stays, the oldest that the floor did not pass, the one read last, and those held. */
  #thin(): void {
    const newest = this.#kept.at(-1);
    if (newest === undefined || newest.meta.index < this.#floor) return;
    const lastRead = this.#lastRead;
    const oldest = this.#kept.find(({ meta }) => meta.index >= this.#floor);
    this.#kept = this.#kept.filter((one) => {
      if (one === newest || one === oldest) return true;
      if (this.#isHeld(one.meta)) return true;
      return one.meta.index >= this.#floor && lastRead !== null && sameSnapshot(one.meta, lastRead);
    });
  }
}
