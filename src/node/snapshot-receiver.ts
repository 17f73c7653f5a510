import type { ReceiveSnapshotEffect } from '../raft/effect.ts';
import type { RequestId } from '../raft/identity.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import type { SnapshotStorage } from '../storage/contract.ts';
import { SnapshotMismatch } from '../storage/errors.ts';
import { ChunkChannel } from './chunk-channel.ts';

/** What becomes of a transfer. */
export interface SnapshotReceiverActions {
  written(transferId: RequestId, offset: number): void;
  stored(transferId: RequestId, meta: SnapshotMeta): void;
  /** What came is not what the leader said it to be. */
  failed(transferId: RequestId, snapshot: SnapshotMeta, error: unknown): void;
  storageFailed(error: unknown): void;
}

/**
 * Writes the snapshot that a leader sends, chunk by chunk, as one stream into the storage. One transfer at a
 * time; it holds the chunks that are not written yet, and the core hands out one at a time.
 */
export class SnapshotReceiver {
  readonly #snapshots: Pick<SnapshotStorage, 'write'>;
  readonly #actions: SnapshotReceiverActions;
  #current: { readonly transferId: RequestId; readonly channel: ChunkChannel } | null = null;

  constructor(snapshots: Pick<SnapshotStorage, 'write'>, actions: SnapshotReceiverActions) {
    this.#snapshots = snapshots;
    this.#actions = actions;
  }

  receive({ transferId, snapshot, offset, data }: ReceiveSnapshotEffect): void {
    if (offset === 0) this.#begin(transferId, snapshot);
    if (this.#current === null || !sameRequest(this.#current.transferId, transferId)) return;
    const { channel } = this.#current;
    const end = offset + data.length;
    channel.push(data, () => {
      if (this.#current?.channel === channel) this.#actions.written(transferId, end);
    });
    if (end === snapshot.size) channel.end();
  }

  abandon(transferId: RequestId): void {
    if (this.#current !== null && sameRequest(this.#current.transferId, transferId)) this.stop();
  }

  /** Whatever is under way comes to nothing. */
  stop(): void {
    this.#current?.channel.abort(new Error('the transfer of this snapshot was abandoned'));
    this.#current = null;
  }

  #begin(transferId: RequestId, snapshot: SnapshotMeta): void {
    this.stop();
    const channel = new ChunkChannel();
    this.#current = { transferId, channel };
    const { index, term, configuration, size, digest } = snapshot;
    this.#snapshots.write({ index, term, configuration }, channel, { size, digest }).then(
      (meta) => {
        if (this.#ends(channel)) this.#actions.stored(transferId, meta);
      },
      (error: unknown) => {
        if (!this.#ends(channel)) return;
        if (error instanceof SnapshotMismatch) this.#actions.failed(transferId, snapshot, error);
        else this.#actions.storageFailed(error);
      },
    );
  }

  /** @returns false when it was abandoned meanwhile, so that nobody cares. */
  #ends(channel: ChunkChannel): boolean {
    if (this.#current?.channel !== channel) return false;
    this.#current = null;
    return true;
  }
}

function sameRequest(a: RequestId, b: RequestId): boolean {
  return a.boot === b.boot && a.sequence === b.sequence;
}
