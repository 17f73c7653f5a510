import type { SessionEntry } from '../../raft/entry.ts';
import { isPromiseLike } from '../promise-like.ts';
import type { SnapshotContent } from '../snapshot-content.ts';
import type { CommandCodec } from '../state-machine.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { parseSessionRecord } from './session-record.ts';
import type { SessionCounts, SessionOutcome, SessionTableContent } from './session-table.ts';
import { SessionTable } from './session-table.ts';
import { readSnapshotHead } from './snapshot-head.ts';

/**
 * The table of sessions beside the state machine: it moves with it, entry by entry, and is replaced with it. Like
 * the state machine it outlives a reopened storage.
 */
export class AppliedSessions {
  readonly counts: SessionCounts = { expired: 0, evicted: 0, repeated: 0 };
  readonly #results: CommandCodec<unknown>;
  #table = new SessionTable(this.counts);

  /** @param results - how what `apply` returns becomes bytes; the same on every replica. */
  constructor(results: CommandCodec<unknown>) {
    this.#results = results;
  }

  /** Live, for looking at. */
  get table(): Pick<SessionTable, 'size' | 'timeMs' | 'timeStepMaxMs' | 'resultBytes' | 'content'> {
    return this.#table;
  }

  /**
   * Applies one entry. The command in it, if it has one that is to be applied, is given to `execute`.
   *
   * @throws UnknownRecordVersion; what `execute` throws or rejects with; what the codec of results throws.
   */
  apply(
    entry: SessionEntry,
    execute: (command: Uint8Array) => unknown,
  ): SessionOutcome | Promise<SessionOutcome> {
    const verdict = this.#table.apply(entry.index, parseSessionRecord(entry.payload));
    if (verdict.kind !== 'execute') return verdict;
    const result = execute(verdict.command);
    // The table is as it was until the command is through, and nothing else is applied meanwhile.
    return isPromiseLike(result)
      ? Promise.resolve(result).then((value) => verdict.executed(this.#encode(value)))
      : verdict.executed(this.#encode(result));
  }

  /** A copy: what a codec gives may be a view of the state machine's own bytes, which go on changing. */
  #encode(result: unknown): Uint8Array {
    let bytes: Uint8Array;
    try {
      bytes = this.#results.encode(result);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`its result cannot be kept for retries (option resultCodec): ${why}`, { cause });
    }
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError('its result cannot be kept for retries: resultCodec.encode gave no Uint8Array');
    }
    return new Uint8Array(bytes);
  }

  /**
   * Reads the table at the head of a snapshot. It takes the place of this one by a call of what is returned, once
   * the state machine is restored too and the whole was found undamaged.
   *
   * @throws StorageRefused when there is no such table; or why the content cannot be read.
   */
  async read(reader: ChunkReader, content: Pick<SnapshotContent, 'finish' | 'bytes'>): Promise<() => void> {
    let found: SessionTableContent;
    try {
      found = await readSnapshotHead(reader, content.bytes);
    } catch (error) {
      // Damage anywhere is the better reason: what is damaged may look like any version.
      await content.finish();
      throw error;
    }
    return () => {
      this.#table = SessionTable.restored(found, this.counts);
    };
  }
}
