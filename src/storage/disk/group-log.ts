import type { Work } from '../../doors/work.ts';
import type { HardState } from '../../raft/effect.ts';
import type { Entry, Index } from '../../raft/entry.ts';
import { entryBytes } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { LogFloor, LogStorage, RecoveredLog, WriteRequest } from '../contract.ts';
import type { StorageFailed } from '../errors.ts';
import type { Backend } from './backends/backend.ts';
import { bodyIsIntact, readEntries } from './block.ts';
import { headerLength, type LogEnd } from './block-header.ts';
import type { LiveBlocks } from './live-blocks.ts';

/** What a log asks of the shard it lives in. */
export interface LogShard {
  readonly backend: Backend;
  readonly work: Work;
  submit(log: GroupLog, request: WriteRequest): Promise<void>;
  /** Why everything fails from now on; null while all is well. */
  readonly failure: StorageFailed | null;
  fail(what: string, cause: unknown): StorageFailed;
}

/** The log of one group in an open storage: the shard's writer moves its cursors. */
export class GroupLog implements LogStorage {
  readonly group: GroupId;
  readonly recovered: RecoveredLog;
  readonly blocks: LiveBlocks;
  readonly #shard: LogShard;
  /** The log's end once everything handed over is written. */
  #queuedEnd: Index;
  /** As of the last block submitted. */
  end: LogEnd;
  hardState: HardState;
  floor: LogFloor;
  nextNumber: number;
  durableNumber: number;

  constructor(
    shard: LogShard,
    group: GroupId,
    opened: {
      readonly recovered: RecoveredLog;
      readonly blocks: LiveBlocks;
      readonly end: LogEnd;
      readonly nextNumber: number;
    },
  ) {
    this.#shard = shard;
    this.group = group;
    this.recovered = opened.recovered;
    this.blocks = opened.blocks;
    this.hardState = opened.recovered.hardState;
    this.floor = opened.recovered.floor;
    this.end = opened.end;
    this.nextNumber = opened.nextNumber;
    this.durableNumber = opened.nextNumber - 1;
    this.#queuedEnd = opened.end.index;
  }

  write(request: WriteRequest): Promise<void> {
    const mistake = this.#mistakeIn(request);
    if (mistake !== null) return Promise.reject(this.#shard.fail(mistake, undefined));
    const last = request.entries.at(-1);
    if (request.cutFrom !== undefined) this.#queuedEnd = request.cutFrom - 1;
    if (last !== undefined) this.#queuedEnd = last.index;
    if (request.floor !== undefined) this.#queuedEnd = Math.max(this.#queuedEnd, request.floor.index);
    return this.#shard.submit(this, request);
  }

  async read({ from, to, bytesMax }: { from: Index; to: Index; bytesMax: number }): Promise<Entry[]> {
    const entries: Entry[] = [];
    let bytes = 0;
    for (let index = from; index <= to; ) {
      const block = this.blocks.find(index);
      if (block === null) {
        if (entries.length > 0) return entries;
        throw this.#shard.fail(`group ${this.group} holds no durable entry ${index}`, undefined);
      }
      for (const entry of await this.#entriesOf(block)) {
        if (entry.index < index) continue;
        if (entry.index > to || entry.index > block.lastIndex) break;
        bytes += entryBytes(entry);
        if (entries.length > 0 && bytes > bytesMax) return entries;
        entries.push(entry);
      }
      index = block.lastIndex + 1;
    }
    return entries;
  }

  async #entriesOf({ header, location }: NonNullable<ReturnType<LiveBlocks['find']>>): Promise<Entry[]> {
    if (this.#shard.failure !== null) throw this.#shard.failure;
    try {
      const bytes = await this.#shard.backend.read(location);
      const start = headerLength(header.group, header.runs.length);
      if (!bodyIsIntact(header, start, bytes)) throw new Error('its checksum is wrong');
      return await readEntries(header, start, bytes, this.#shard.work);
    } catch (cause) {
      const last = header.firstIndex + header.entryCount - 1;
      throw this.#shard.fail(
        `block ${header.number} of group ${this.group}, entries ${header.firstIndex} to ${last}, cannot be read`,
        cause,
      );
    }
  }

  /** The caller's mistakes are caught before they reach the disk. */
  #mistakeIn({ entries, cutFrom, floor, hardState }: WriteRequest): string | null {
    const end = cutFrom === undefined ? this.#queuedEnd : cutFrom - 1;
    if (end > this.#queuedEnd) return `a cut from ${cutFrom}, beyond the log's end ${this.#queuedEnd}`;
    if (cutFrom !== undefined && cutFrom <= this.floor.index) {
      return `a cut from ${cutFrom}, at or below the floor ${this.floor.index}`;
    }
    for (const [position, entry] of entries.entries()) {
      if (entry.index !== end + 1 + position) {
        return `entry ${entry.index} was handed over where ${end + 1 + position} follows`;
      }
    }
    if (hardState !== undefined && hardState.term < this.hardState.term) {
      return `the hard state goes back from term ${this.hardState.term} to ${hardState.term}`;
    }
    if (floor !== undefined && floor.index < this.floor.index) {
      return `the floor goes back from ${this.floor.index} to ${floor.index}`;
    }
    return null;
  }
}
