import type { Work } from '../../doors/work.ts';
import type { HardState } from '../../raft/effect.ts';
import type { Entry, Index, Term } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { LogFloor, RecoveredLog, WriteRequest } from '../contract.ts';
import type { StorageFailed } from '../errors.ts';
import { mistakeInRepair } from '../repair-mistake.ts';
import type { Backend } from './backends/backend.ts';
import { Batch, type Draft, type PendingWrite, pack } from './batch.ts';
import { type BlockPlace, type SealedBlock, seal, sealPlain } from './block.ts';
import type { CodecName } from './block-header.ts';
import { Compression } from './compression.ts';
import { describeHoles } from './describe-verdict.ts';
import type { FloorRecord } from './floor-file.ts';
import type { GroupLog, LogShard } from './group-log.ts';
import { lastBefore } from './live-blocks.ts';
import { openRecordContent } from './open-record.ts';
import { recoveredLog } from './recovered-log.ts';

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
  dropSnapshotsBelow(group: GroupId, index: Index): Promise<void>;
  mark(group: GroupId, durableNumber: number): void;
  /** It will be marked, if all goes well. */
  prepareMark(group: GroupId, durableNumber: number): void;
  /** Milliseconds, by the clock that `synced` is measured with. */
  now(): number;
  written(writes: number): void;
  synced(commit: Commit): void;
}

/** It goes alone: what is written after it must not be cut off by what it fills. */
interface PendingRepair {
  readonly log: GroupLog;
  readonly entries: readonly Entry[];
  readonly resolve: (recovered: RecoveredLog | null) => void;
  readonly reject: (error: Error) => void;
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
  #queue: (Batch | PendingRepair)[] = [];
  /** Writes of the commit that is being made. */
  #underWay = 0;
  #running: Promise<void> | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #compaction: Promise<void> = Promise.resolve();

  constructor(backend: Backend, host: ShardHost) {
    this.backend = backend;
    this.#host = host;
    this.#compression = new Compression(host.codec, host.work);
  }

  get work(): Work {
    return this.#host.work;
  }

  get seed(): number {
    return this.#host.seed;
  }

  get failure(): StorageFailed | null {
    return this.#host.failure;
  }

  get pending(): number {
    return this.#queue.reduce((sum, turn) => sum + requestsOf(turn).length, this.#underWay);
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

  submitRepair(log: GroupLog, entries: readonly Entry[]): Promise<RecoveredLog | null> {
    const { failure } = this.#host;
    if (failure !== null) return Promise.reject(failure);
    return new Promise((resolve, reject) => {
      this.#queue.push({ log, entries, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Writes the open record of a log that still has to. In turn. */
  async begin(log: GroupLog): Promise<void> {
    const { openRecord } = log;
    if (openRecord === null) return;
    const { cutFrom } = openRecord;
    const content = openRecordContent(log, openRecord);
    try {
      await this.backend.append([sealPlain(content, this.#host.seed)]);
    } catch (cause) {
      throw this.#host.fail('the open record could not be written', cause);
    }
    const { number } = content;
    log.openRecord = null;
    log.nextNumber = number + 1;
    log.durableNumber = number;
    log.end =
      cutFrom > log.end.index
        ? { ...log.end, number }
        : { number, index: cutFrom - 1, term: this.#termBefore(log, cutFrom) };
    this.#host.mark(log.group, number);
  }

  /**
   * Removes what a floor that is durable made dead. Nobody waits for it: it is dead whether it is there or not, and what a
   * crash leaves goes at the next opening.
   */
  compact(group: GroupId, { index, lowestNumber }: Pick<FloorRecord, 'index' | 'lowestNumber'>): void {
    this.#compaction = this.#compaction.then(async () => {
      if (this.#host.failure !== null) return;
      try {
        await this.#host.dropSnapshotsBelow(group, index);
        await this.backend.dropBelow(group, lowestNumber);
      } catch (cause) {
        this.#host.fail('what a snapshot made useless could not be removed', cause);
      }
    });
  }

  /** Everything handed over so far is durable, or rejected, and nothing is being removed. */
  async idle(): Promise<void> {
    await this.#running;
    await this.#compaction;
  }

  /** One at a time at the backend, in the order of the calls: a log may be opened while another is written. */
  inTurn<T>(task: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(task);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** The storage is poisoned: what waits hears why. What is under way hears it from its own commit. */
  rejectQueued(failure: StorageFailed): void {
    for (const turn of this.#queue.splice(0)) for (const { reject } of requestsOf(turn)) reject(failure);
  }

  #enqueue(write: PendingWrite): void {
    const last = this.#queue.at(-1);
    if (last instanceof Batch && last.accepts(write)) {
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
      if (!(batch instanceof Batch)) continue;
      const isJoined = batch === this.#queue.at(-1) && !batch.isFull;
      if (!isJoined) batch.pack(this.#compression);
    }
  }

  async #run(): Promise<void> {
    // Whatever else is handed over in this run of the event loop's code shares the first commit.
    await Promise.resolve();
    for (let turn = this.#queue.shift(); turn !== undefined; turn = this.#queue.shift()) {
      await this.#make(turn);
    }
    this.#running = null;
  }

  /** Does the work in turn, then tells. */
  async #make(turn: Batch | PendingRepair): Promise<void> {
    const requests = requestsOf(turn);
    this.#underWay = requests.length;
    try {
      if (turn instanceof Batch) turn.pack(this.#compression);
      this.#packAhead();
      const tell = await this.inTurn(() => (turn instanceof Batch ? this.#commit(turn) : this.#repair(turn)));
      // Another shard may have failed meanwhile; this is durable all the same.
      this.#underWay = 0;
      tell();
    } catch (cause) {
      const failure = this.#host.fail('a write or sync failed, so what reached the disk is unknown', cause);
      this.#underWay = 0;
      for (const { reject } of requests) reject(failure);
    }
  }

  async #commit({ drafts, writes }: Batch): Promise<() => void> {
    // A block of a term is submitted only after that term's hard state is durable: a block ahead of the
    // hard state then proves that the hard state was lost, and a vote is never guessed.
    for (const { log, hardState } of drafts) {
      if (hardState === null) continue;
      await this.#host.saveHardState(log.group, hardState);
      log.hardState = hardState;
    }
    for (const { log } of drafts) if (log.openRecord !== null) await this.begin(log);
    const sealed = await this.#seal(drafts);
    if (sealed.length > 0) await this.#append(sealed);
    for (const { log, request } of writes) {
      if (request.floor !== undefined) await this.#moveFloor(log, request.floor);
    }
    this.#host.written(writes.length);
    return () => {
      for (const { resolve } of writes) resolve();
    };
  }

  async #repair({ log, entries, resolve }: PendingRepair): Promise<() => void> {
    const last = entries.at(-1)?.index ?? 0;
    const hole = log.holes().find(({ from, to }) => from <= last && last <= to);
    if (hole === undefined) return () => resolve(null);
    const mistake = mistakeInRepair(entries, hole, log.termAt(hole.from - 1));
    if (mistake !== null) throw this.#host.fail(mistake, undefined);
    await this.begin(log);
    await this.#append([await this.#sealRepair(log, entries)]);
    const recovered = await this.#whatIsKnownOf(log);
    log.onRepaired(recovered);
    this.#host.written(1);
    return () => resolve(recovered);
  }

  async #whatIsKnownOf(log: GroupLog): Promise<RecoveredLog> {
    const { hardState, floor, end } = log;
    const holes = log.holes();
    const report = `${log.place}: ${describeHoles(holes, { end, missing: [] })}`;
    const damage = holes.length === 0 ? null : { holes, end: { index: end.index, term: end.term }, report };
    const lastIndex = lastBefore(holes, end);
    try {
      return await recoveredLog(this, log.blocks, { hardState, floor, lastIndex, damage });
    } catch (cause) {
      throw this.#host.fail('a configuration of the repaired log cannot be read', cause);
    }
  }

  async #sealRepair(
    log: GroupLog,
    entries: readonly Entry[],
  ): Promise<{ log: GroupLog; block: SealedBlock }> {
    const place: BlockPlace = {
      group: log.group,
      number: log.nextNumber,
      firstIndex: entries[0]?.index ?? 0,
      predecessor: log.end,
      hardStateTerm: log.hardState.term,
      durableNumber: log.durableNumber,
      voidFrom: 0,
      repairs: true,
      commitOffset: 0,
    };
    log.nextNumber += 1;
    log.end = { ...log.end, number: place.number };
    const body = await pack({ log, entries }, this.#compression);
    return { log, block: seal(place, body, this.#host.seed) };
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
        repairs: false,
        commitOffset,
      };
      // Most bodies are there already, and one caller waits for every turn of the queue of microtasks.
      const packed = body instanceof Promise ? await body : body;
      const block = seal(place, packed, this.#host.seed);
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
    const locations = await this.backend.append(
      sealed.map(({ block }) => block),
      () => {
        for (const { log, block } of sealed) this.#host.prepareMark(log.group, block.header.number);
      },
    );
    const tookMs = this.#host.now() - beganAt;
    let [bytes, rawBytes] = [0, 0];
    for (const [position, { log, block }] of sealed.entries()) {
      const location = locations[position];
      if (location === undefined) throw new Error('the backend did not say where a block is');
      const stored = { header: block.header, location };
      if (block.header.repairs) log.blocks.fill(stored);
      else log.blocks.add(stored);
      log.durableNumber = block.header.number;
      bytes += block.bytes.length;
      rawBytes += block.bytes.length - block.header.bodyLength + block.header.rawLength;
      this.#host.mark(log.group, block.header.number);
    }
    this.#host.synced({ blocks: sealed.length, bytes, rawBytes, tookMs });
  }

  /** The floor is durable before any block goes: in between, what lies below it is dead but harmless. */
  async #moveFloor(log: GroupLog, floor: LogFloor): Promise<void> {
    const { index, term } = floor;
    // Where it lies in what is missing, or behind it, the log is replaced: whoever wrote it knew of no such entry.
    const isWithin = index <= lastBefore(log.holes(), log.end);
    const agrees = index === log.floor.index || (isWithin && log.termAt(index) === term);
    if (!agrees) log.blocks.clear();
    const needed = log.blocks.dropThrough(index, log.nextNumber);
    // Where the end of the log is missing, the last block is all that tells of it.
    const lowestNumber = agrees && log.end.index > index ? Math.min(needed, log.end.number) : needed;
    const { durableNumber } = log;
    await this.#host.saveFloor(log.group, { ...floor, lowestNumber, durableNumber });
    log.floor = floor;
    if (log.end.index <= index || !agrees) log.end = { number: log.end.number, index, term };
    this.compact(log.group, { index, lowestNumber });
  }

  #termBefore(log: GroupLog, index: Index): Term {
    return log.termAt(index - 1) ?? 0;
  }
}

/** Whoever waits for it. */
function requestsOf(turn: Batch | PendingRepair): readonly { readonly reject: (error: Error) => void }[] {
  return turn instanceof Batch ? turn.writes : [turn];
}
