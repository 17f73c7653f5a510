import type { Work } from '../../doors/work.ts';
import type { HardState } from '../../raft/effect.ts';
import type { Entry, Index, Term } from '../../raft/entry.ts';
import { entryBytes } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { LogFloor, RecoveredLog, WriteRequest } from '../contract.ts';
import type { StorageFailed } from '../errors.ts';
import type { Backend } from './backends/backend.ts';
import { type BlockContent, type SealedBlock, sealCompressed, sealPlain } from './block.ts';
import type { CodecName } from './block-header.ts';
import { describeHoles } from './describe-verdict.ts';
import type { FloorRecord } from './floor-file.ts';
import type { GroupLog, LogShard } from './group-log.ts';
import { openRecordContent } from './open-record.ts';
import { recoveredLog } from './recovered-log.ts';
import { mistakeInRepair } from './repair-mistake.ts';

/** One commit takes no more than about this much, so that a long queue does not make one long sync. */
const COMMIT_BYTES = 256 * 1024;

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
  synced(commit: { blocks: number; bytes: number; tookMs: number }): void;
}

type Pending = PendingWrite | PendingRepair;

interface PendingWrite {
  readonly log: GroupLog;
  readonly request: WriteRequest;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface PendingRepair {
  readonly log: GroupLog;
  readonly repair: readonly Entry[];
  readonly resolve: (recovered: RecoveredLog | null) => void;
  readonly reject: (error: Error) => void;
}

/** The writes of one group that become one block. */
interface Draft {
  readonly log: GroupLog;
  /** Where the block cuts; null while nothing of it touches the log. */
  firstIndex: Index | null;
  entries: Entry[];
  hardState: HardState | null;
}

/**
 * One queue, one writer. While a commit is being synced everything else waits, and becomes the next one:
 * nothing is delayed on purpose, and a busy shard shares each sync among all that came meanwhile.
 */
export class Shard implements LogShard {
  readonly backend: Backend;
  readonly #host: ShardHost;
  #queue: Pending[] = [];
  /** Writes of the commit that is being made. */
  #underWay = 0;
  #running: Promise<void> | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(backend: Backend, host: ShardHost) {
    this.backend = backend;
    this.#host = host;
  }

  get work(): Work {
    return this.#host.work;
  }

  get failure(): StorageFailed | null {
    return this.#host.failure;
  }

  get pending(): number {
    return this.#queue.length + this.#underWay;
  }

  fail(what: string, cause: unknown): StorageFailed {
    return this.#host.fail(what, cause);
  }

  submit(log: GroupLog, request: WriteRequest): Promise<void> {
    return this.#enqueue((resolve, reject) => ({ log, request, resolve, reject }));
  }

  submitRepair(log: GroupLog, repair: readonly Entry[]): Promise<RecoveredLog | null> {
    return this.#enqueue((resolve, reject) => ({ log, repair, resolve, reject }));
  }

  /** Writes the open record of a log that still has to. In turn. */
  async begin(log: GroupLog): Promise<void> {
    const { openRecord } = log;
    if (openRecord === null) return;
    const { cutFrom, lowestNumber } = openRecord;
    const content = openRecordContent(log, openRecord);
    try {
      await this.backend.append([sealPlain(content, this.#host.seed)]);
      await this.backend.dropBelow(log.group, lowestNumber);
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
    for (const { reject } of this.#queue.splice(0)) reject(failure);
  }

  #enqueue<T>(pending: (resolve: (value: T) => void, reject: (error: Error) => void) => Pending): Promise<T> {
    const { failure } = this.#host;
    if (failure !== null) return Promise.reject(failure);
    return new Promise((resolve, reject) => {
      this.#queue.push(pending(resolve, reject));
      this.#running ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    // Whatever else is handed over in this run of the event loop's code shares the first commit.
    await Promise.resolve();
    for (;;) {
      const [next] = this.#queue;
      if (next === undefined) break;
      if ('repair' in next) {
        this.#queue.shift();
        await this.#finish([next], async () => {
          const recovered = await this.#repair(next.log, next.repair);
          return () => next.resolve(recovered);
        });
      } else {
        const batch = this.#takeBatch();
        await this.#finish(batch, async () => {
          await this.#commit(batch);
          return () => {
            for (const { resolve } of batch) resolve();
          };
        });
      }
    }
    this.#running = null;
  }

  /** Does the work in turn, then tells. */
  async #finish(batch: readonly Pending[], work: () => Promise<() => void>): Promise<void> {
    this.#underWay = batch.length;
    try {
      const tell = await this.inTurn(work);
      // Another shard may have failed meanwhile; these writes are durable all the same.
      this.#underWay = 0;
      tell();
    } catch (cause) {
      const failure = this.#host.fail('a write or sync failed, so what reached the disk is unknown', cause);
      this.#underWay = 0;
      for (const { reject } of batch) reject(failure);
    }
  }

  /**
   * A cut never shares a commit with a write that it cuts into, since it would be one block. A hard state
   * is saved before the blocks of its commit, so it begins one: it must not be found without the writes
   * before it. A floor goes alone, and so does a repair.
   */
  #takeBatch(): PendingWrite[] {
    const touched = new Set<GroupLog>();
    let bytes = 0;
    const batch: PendingWrite[] = [];
    for (const pending of this.#queue) {
      if ('repair' in pending) break;
      const { log, request } = pending;
      const { hardState, cutFrom, entries, floor } = request;
      const begins = (cutFrom !== undefined || hardState !== undefined) && touched.has(log);
      if (batch.length > 0 && (begins || floor !== undefined || bytes >= COMMIT_BYTES)) break;
      for (const entry of entries) bytes += entryBytes(entry);
      if (entries.length > 0 || cutFrom !== undefined) touched.add(log);
      batch.push(pending);
      if (floor !== undefined) break;
    }
    this.#queue.splice(0, batch.length);
    return batch;
  }

  async #commit(batch: readonly PendingWrite[]): Promise<void> {
    const drafts = draftsOf(batch);
    // A block of a term is submitted only after that term's hard state is durable: a block ahead of the
    // hard state then proves that the hard state was lost, and a vote is never guessed.
    for (const { log, hardState } of drafts) {
      if (hardState === null) continue;
      await this.#host.saveHardState(log.group, hardState);
      log.hardState = hardState;
    }
    for (const { log } of drafts) await this.begin(log);
    const sealed = await this.#seal(drafts);
    if (sealed.length > 0) await this.#append(sealed);
    for (const { log, request } of batch) {
      if (request.floor !== undefined) await this.#moveFloor(log, request.floor);
    }
    this.#host.written(batch.length);
  }

  async #repair(log: GroupLog, entries: readonly Entry[]): Promise<RecoveredLog | null> {
    const last = entries.at(-1)?.index ?? 0;
    const hole = log.holes().find(({ from, to }) => from <= last && last <= to);
    if (hole === undefined) return null;
    const mistake = mistakeInRepair(entries, hole, log.termAt(hole.from - 1));
    if (mistake !== null) throw this.#host.fail(mistake, undefined);
    await this.begin(log);
    await this.#append([await this.#sealRepair(log, entries)]);
    const recovered = await this.#whatIsKnownOf(log);
    log.onRepaired(recovered);
    this.#host.written(1);
    return recovered;
  }

  async #whatIsKnownOf(log: GroupLog): Promise<RecoveredLog> {
    const { hardState, floor, end } = log;
    const holes = log.holes();
    const report = `${log.place}: ${describeHoles(holes, { end, missing: [] })}`;
    const damage = holes.length === 0 ? null : { holes, end: { index: end.index, term: end.term }, report };
    const lastIndex = log.lastIndexBefore(holes);
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
    const content: BlockContent = {
      group: log.group,
      number: log.nextNumber,
      firstIndex: entries[0]?.index ?? 0,
      predecessor: log.end,
      hardStateTerm: log.hardState.term,
      durableNumber: log.durableNumber,
      voidFrom: 0,
      repairs: true,
      commitOffset: 0,
      entries,
    };
    log.nextNumber += 1;
    log.end = { ...log.end, number: content.number };
    return { log, block: await this.#sealOne(content) };
  }

  #sealOne(content: BlockContent): Promise<SealedBlock> | SealedBlock {
    const { codec, work, seed } = this.#host;
    return codec === 'gzip' ? sealCompressed(content, work, seed) : sealPlain(content, seed);
  }

  async #seal(drafts: readonly Draft[]): Promise<{ log: GroupLog; block: SealedBlock }[]> {
    const sealed: { log: GroupLog; block: SealedBlock }[] = [];
    let commitOffset = 0;
    for (const { log, firstIndex, entries } of drafts) {
      if (firstIndex === null) continue;
      const content: BlockContent = {
        group: log.group,
        number: log.nextNumber,
        firstIndex,
        predecessor: log.end,
        hardStateTerm: log.hardState.term,
        durableNumber: log.durableNumber,
        voidFrom: 0,
        repairs: false,
        commitOffset,
        entries,
      };
      const block = await this.#sealOne(content);
      const last = entries.at(-1);
      const index = last?.index ?? firstIndex - 1;
      log.nextNumber += 1;
      log.end = { number: content.number, index, term: last?.term ?? this.#termBefore(log, firstIndex) };
      sealed.push({ log, block });
      commitOffset += block.bytes.length;
    }
    return sealed;
  }

  async #append(sealed: readonly { log: GroupLog; block: SealedBlock }[]): Promise<void> {
    const beganAt = this.#host.now();
    const locations = await this.backend.append(sealed.map(({ block }) => block));
    const tookMs = this.#host.now() - beganAt;
    let bytes = 0;
    for (const [position, { log, block }] of sealed.entries()) {
      const location = locations[position];
      if (location === undefined) throw new Error('the backend did not say where a block is');
      const stored = { header: block.header, location };
      if (block.header.repairs) log.blocks.fill(stored);
      else log.blocks.add(stored);
      log.durableNumber = block.header.number;
      bytes += block.bytes.length;
      this.#host.mark(log.group, block.header.number);
    }
    this.#host.synced({ blocks: sealed.length, bytes, tookMs });
  }

  /** The floor is durable before any block goes: in between, what lies below it is dead but harmless. */
  async #moveFloor(log: GroupLog, floor: LogFloor): Promise<void> {
    const { index, term } = floor;
    // Where it lies in what is missing, or behind it, the log is replaced: whoever wrote it knew of no such entry.
    const isWithin = index <= log.lastIndexBefore(log.holes());
    const agrees = index === log.floor.index || (isWithin && log.termAt(index) === term);
    if (!agrees) log.blocks.clear();
    const lowestNumber = log.blocks.dropThrough(index, log.nextNumber);
    const { durableNumber } = log;
    await this.#host.saveFloor(log.group, { ...floor, lowestNumber, durableNumber });
    log.floor = floor;
    if (log.end.index <= index || !agrees) log.end = { number: log.end.number, index, term };
    await this.backend.dropBelow(log.group, lowestNumber);
  }

  #termBefore(log: GroupLog, index: Index): Term {
    return log.termAt(index - 1) ?? 0;
  }
}

/** Consecutive writes of a group become one block; what does not touch the log makes none. */
function draftsOf(batch: readonly PendingWrite[]): Draft[] {
  const drafts = new Map<GroupLog, Draft>();
  for (const { log, request } of batch) {
    let draft = drafts.get(log);
    if (draft === undefined) {
      draft = { log, firstIndex: null, entries: [], hardState: null };
      drafts.set(log, draft);
    }
    const { cutFrom, entries, hardState } = request;
    draft.firstIndex ??= cutFrom ?? entries[0]?.index ?? null;
    draft.entries = draft.entries.length === 0 ? [...entries] : draft.entries.concat(entries);
    if (hardState !== undefined) draft.hardState = hardState;
  }
  return [...drafts.values()];
}
