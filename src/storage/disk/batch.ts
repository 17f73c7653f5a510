import type { HardState } from '../../raft/effect.ts';
import { type Entry, entryBytes, type Index } from '../../raft/entry.ts';
import type { WriteRequest } from '../contract.ts';
import { type PackedBody, packCompressed, packPlain } from './block.ts';
import type { Compression } from './compression.ts';
import type { GroupLog } from './group-log.ts';

/** One commit takes no more than about this much, so that a long queue does not make one long sync. */
const COMMIT_BYTES = 256 * 1024;

export interface PendingWrite {
  readonly log: GroupLog;
  readonly request: WriteRequest;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The writes of one group that become one block; what does not touch the log makes none. */
export interface Draft {
  readonly log: GroupLog;
  /** Where the block cuts; null while nothing of it touches the log. */
  firstIndex: Index | null;
  readonly entries: Entry[];
  hardState: HardState | null;
  body: PackedBody | Promise<PackedBody> | null;
}

/** Writes that wait for one commit, which they will share. */
export class Batch {
  readonly writes: PendingWrite[] = [];
  readonly #drafts = new Map<GroupLog, Draft>();
  #bytes = 0;
  #hasFloor = false;

  get drafts(): readonly Draft[] {
    return [...this.#drafts.values()];
  }

  /** Nothing can join it any more. */
  get isFull(): boolean {
    return this.#hasFloor || this.#bytes >= COMMIT_BYTES;
  }

  /**
   * A cut never shares a commit with a write that it cuts into, since it would be one block. A hard state
   * is saved before the blocks of its commit, so it begins one: it must not be found without the writes
   * before it. A floor goes alone. Asked only of a batch that has a write.
   */
  accepts({ log, request }: PendingWrite): boolean {
    const { hardState, cutFrom, floor } = request;
    if (this.isFull || floor !== undefined) return false;
    const begins = cutFrom !== undefined || hardState !== undefined;
    return !begins || (this.#drafts.get(log)?.firstIndex ?? null) === null;
  }

  add(write: PendingWrite): void {
    const { log, request } = write;
    const { cutFrom, entries, hardState, floor } = request;
    this.writes.push(write);
    let draft = this.#drafts.get(log);
    if (draft === undefined) {
      draft = { log, firstIndex: null, entries: [], hardState: null, body: null };
      this.#drafts.set(log, draft);
    }
    draft.firstIndex ??= cutFrom ?? entries[0]?.index ?? null;
    for (const entry of entries) {
      draft.entries.push(entry);
      this.#bytes += entryBytes(entry);
    }
    if (hardState !== undefined) draft.hardState = hardState;
    if (floor !== undefined) this.#hasFloor = true;
  }

  /** Encodes and compresses what is to be stored, once; nothing may be added any more. What fails, fails the commit. */
  pack(compression: Compression): void {
    for (const draft of this.#drafts.values()) {
      if (draft.firstIndex === null || draft.body !== null) continue;
      const body = pack(draft, compression);
      // The commit may never come, and then nobody waits for it.
      if (body instanceof Promise) body.catch(() => {});
      draft.body = body;
    }
  }
}

/** Encodes the entries of one block; a promise where they are compressed, or cannot be encoded. */
export function pack(
  { log, entries }: { readonly log: GroupLog; readonly entries: readonly Entry[] },
  compression: Compression,
): PackedBody | Promise<PackedBody> {
  const compress = compression.of(log.group);
  if (compress !== null) return packCompressed(log.group, entries, compress);
  try {
    return packPlain(log.group, entries);
  } catch (error) {
    return Promise.reject(error);
  }
}
