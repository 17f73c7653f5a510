import type { Work } from '../../doors/work.ts';
import type { HardState } from '../../raft/effect.ts';
import type { Index, Term } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { LogFloor, WriteRequest } from '../contract.ts';
import type { StorageFailed } from '../errors.ts';
import type { Backend } from './backends/backend.ts';
import { Batch, type Draft, type PendingWrite } from './batch.ts';
import { type BlockPlace, type SealedBlock, seal } from './block.ts';
import type { CodecName } from './block-header.ts';
import { Compression } from './compression.ts';
import type { FloorRecord } from './floor-file.ts';
import type { GroupLog, LogShard } from './group-log.ts';

/**
 * How many batches are packed before their turn. One is packed while the one before it syncs; a second keeps
 * another thread busy where packing takes longer than syncing.
 */
const PACKED_AHEAD = 2;

/** What one append and sync brought. */
export interface Commit {
  readonly blocks: number;
  readonly bytes: number;
  /** As many as there would be without compression. */
  readonly rawBytes: number;
  readonly tookMs: number;
}

/** What a shard needs of the storage it is part of. */
export interface ShardHost {
  readonly work: Work;
  readonly codec: CodecName;
  readonly seed: number;
  readonly failure: StorageFailed | null;
  fail(what: string, cause: unknown): StorageFailed;
  saveHardState(group: GroupId, hardState: HardState): Promise<void>;
  saveFloor(group: GroupId, floor: FloorRecord): Promise<void>;
  mark(group: GroupId, durableNumber: number): void;
  /** Milliseconds, by the clock that `synced` is measured with. */
  now(): number;
  written(writes: number): void;
  synced(commit: Commit): void;
}

/**
 * One queue, one writer. While a commit is being synced everything else waits, and becomes the next one:
 * nothing is delayed on purpose, and a busy shard shares each sync among all that came meanwhile.
 *
 * A batch that nothing can join any more gains nothing by waiting, so it is encoded and compressed at once.
 * Only its bytes are: what a header says of the blocks before it is written when its turn has come.
 */
export class Shard implements LogShard {
  readonly backend: Backend;
  readonly #host: ShardHost;
  readonly #compression: Compression;
  /** In the order of their turns; writes may join the last one. */
  #queue: Batch[] = [];
  /** Writes of the commit that is being made. */
  #underWay = 0;
  #running: Promise<void> | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(backend: Backend, host: ShardHost) {
    this.backend = backend;
    this.#host = host;
    this.#compression = new Compression(host.codec, host.work);
  }

  get work(): Work {
    return this.#host.work;
  }

  get failure(): StorageFailed | null {
    return this.#host.failure;
  }

  get pending(): number {
    return this.#queue.reduce((sum, { writes }) => sum + writes.length, this.#underWay);
  }

  fail(what: string, cause: unknown): StorageFailed {
    return this.#host.fail(what, cause);
  }

  submit(log: GroupLog, request: WriteRequest): Promise<void> {
    const { failure } = this.#host;
    if (failure !== null) return Promise.reject(failure);
    return new Promise((resolve, reject) => {
      this.#enqueue({ log, request, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Everything handed over so far is durable, or rejected. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** One at a time at the backend, in the order of the calls: a log may be opened while another is written. */
  inTurn<T>(task: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(task);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** The storage is poisoned: what waits hears why. What is under way hears it from its own commit. */
  rejectQueued(failure: StorageFailed): void {
    for (const { writes } of this.#queue.splice(0)) for (const { reject } of writes) reject(failure);
  }

  #enqueue(write: PendingWrite): void {
    const last = this.#queue.at(-1);
    if (last?.accepts(write) === true) {
      last.add(write);
      if (last.isFull) this.#packAhead();
      return;
    }
    const batch = new Batch();
    batch.add(write);
    this.#queue.push(batch);
    this.#packAhead();
  }

  #packAhead(): void {
    for (const batch of this.#queue.slice(0, PACKED_AHEAD)) {
      const isJoined = batch === this.#queue.at(-1) && !batch.isFull;
      if (!isJoined) batch.pack(this.#compression);
    }
  }

  async #run(): Promise<void> {
    // Whatever else is handed over in this run of the event loop's code shares the first commit.
    await Promise.resolve();
    for (let batch = this.#queue.shift(); batch !== undefined; batch = this.#queue.shift()) {
      await this.#make(batch);
    }
    this.#running = null;
  }

  async #make(batch: Batch): Promise<void> {
    const { writes } = batch;
    this.#underWay = writes.length;
    try {
      batch.pack(this.#compression);
      this.#packAhead();
      await this.inTurn(() => this.#commit(batch));
      // Another shard may have failed meanwhile; these writes are durable all the same.
      this.#underWay = 0;
      for (const { resolve } of writes) resolve();
    } catch (cause) {
      const failure = this.#host.fail('a write or sync failed, so what reached the disk is unknown', cause);
      this.#underWay = 0;
      for (const { reject } of writes) reject(failure);
    }
  }

  async #commit({ drafts, writes }: Batch): Promise<void> {
    // A block of a term is submitted only after that term's hard state is durable: a block ahead of the
    // hard state then proves that the hard state was lost, and a vote is never guessed.
    for (const { log, hardState } of drafts) {
      if (hardState === null) continue;
      await this.#host.saveHardState(log.group, hardState);
      log.hardState = hardState;
    }
    const sealed = await this.#seal(drafts);
    if (sealed.length > 0) await this.#append(sealed);
    for (const { log, request } of writes) {
      if (request.floor !== undefined) await this.#moveFloor(log, request.floor);
    }
    this.#host.written(writes.length);
  }

  async #seal(drafts: readonly Draft[]): Promise<{ log: GroupLog; block: SealedBlock }[]> {
    const sealed: { log: GroupLog; block: SealedBlock }[] = [];
    let commitOffset = 0;
    for (const { log, firstIndex, entries, body } of drafts) {
      if (firstIndex === null || body === null) continue;
      const place: BlockPlace = {
        group: log.group,
        number: log.nextNumber,
        firstIndex,
        predecessor: log.end,
        hardStateTerm: log.hardState.term,
        durableNumber: log.durableNumber,
        voidFrom: 0,
        commitOffset,
      };
      const block = seal(place, await body, this.#host.seed);
      const last = entries.at(-1);
      const index = last?.index ?? firstIndex - 1;
      log.nextNumber += 1;
      log.end = { number: place.number, index, term: last?.term ?? this.#termBefore(log, firstIndex) };
      sealed.push({ log, block });
      commitOffset += block.bytes.length;
    }
    return sealed;
  }

  async #append(sealed: readonly { log: GroupLog; block: SealedBlock }[]): Promise<void> {
    const beganAt = this.#host.now();
    const locations = await this.backend.append(sealed.map(({ block }) => block));
    const tookMs = this.#host.now() - beganAt;
    let [bytes, rawBytes] = [0, 0];
    for (const [position, { log, block }] of sealed.entries()) {
      const location = locations[position];
      if (location === undefined) throw new Error('the backend did not say where a block is');
      log.blocks.add(block.header, location);
      log.durableNumber = block.header.number;
      bytes += block.bytes.length;
      rawBytes += block.bytes.length - block.header.bodyLength + block.header.rawLength;
      this.#host.mark(log.group, block.header.number);
    }
    this.#host.synced({ blocks: sealed.length, bytes, rawBytes, tookMs });
  }

  /** The floor is durable before any block goes: in between, what lies below it is dead but harmless. */
  async #moveFloor(log: GroupLog, floor: LogFloor): Promise<void> {
    const agrees = floor.index === log.floor.index || this.#termAt(log, floor.index) === floor.term;
    if (!agrees) log.blocks.clear();
    const lowestNumber = log.blocks.dropThrough(floor.index, log.nextNumber);
    const { durableNumber } = log;
    await this.#host.saveFloor(log.group, { ...floor, lowestNumber, durableNumber });
    log.floor = floor;
    if (log.end.index <= floor.index || !agrees)
      log.end = { number: log.end.number, index: floor.index, term: floor.term };
    await this.backend.dropBelow(log.group, lowestNumber);
  }

  #termBefore(log: GroupLog, index: Index): Term {
    return index - 1 === log.floor.index ? log.floor.term : (this.#termAt(log, index - 1) ?? 0);
  }

  #termAt(log: GroupLog, index: Index): Term | null {
    const block = log.blocks.find(index);
    let term: Term | null = null;
    for (const run of block?.header.runs ?? []) if (run.firstIndex <= index) term = run.term;
    return term;
  }
}
