import type { Work } from '../../doors/work.ts';
import type { HardState } from '../../raft/effect.ts';
import type { Entry, Index, Term } from '../../raft/entry.ts';
import { entryBytes } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { LogFloor, WriteRequest } from '../contract.ts';
import type { StorageFailed } from '../errors.ts';
import type { Backend } from './backends/backend.ts';
import { type BlockContent, type SealedBlock, sealCompressed, sealPlain } from './block.ts';
import type { CodecName } from './block-header.ts';
import type { FloorRecord } from './floor-file.ts';
import type { GroupLog, LogShard } from './group-log.ts';

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

interface Pending {
  readonly log: GroupLog;
  readonly request: WriteRequest;
  readonly resolve: () => void;
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
    const { failure } = this.#host;
    if (failure !== null) return Promise.reject(failure);
    return new Promise((resolve, reject) => {
      this.#queue.push({ log, request, resolve, reject });
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
    for (const { reject } of this.#queue.splice(0)) reject(failure);
  }

  async #run(): Promise<void> {
    // Whatever else is handed over in this run of the event loop's code shares the first commit.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      this.#underWay = batch.length;
      try {
        await this.inTurn(() => this.#commit(batch));
        // Another shard may have failed meanwhile; these writes are durable all the same.
        this.#underWay = 0;
        for (const { resolve } of batch) resolve();
      } catch (cause) {
        const failure = this.#host.fail('a write or sync failed, so what reached the disk is unknown', cause);
        this.#underWay = 0;
        for (const { reject } of batch) reject(failure);
      }
    }
    this.#running = null;
  }

  /**
   * A cut never shares a commit with a write that it cuts into, since it would be one block. A hard state
   * is saved before the blocks of its commit, so it begins one: it must not be found without the writes
   * before it. A floor goes alone.
   */
  #takeBatch(): Pending[] {
    const touched = new Set<GroupLog>();
    let bytes = 0;
    let count = 0;
    for (const { log, request } of this.#queue) {
      const { hardState, cutFrom, entries, floor } = request;
      const begins = (cutFrom !== undefined || hardState !== undefined) && touched.has(log);
      if (count > 0 && (begins || floor !== undefined || bytes >= COMMIT_BYTES)) break;
      for (const entry of entries) bytes += entryBytes(entry);
      if (entries.length > 0 || cutFrom !== undefined) touched.add(log);
      count += 1;
      if (floor !== undefined) break;
    }
    return this.#queue.splice(0, count);
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    const drafts = draftsOf(batch);
    // A block of a term is submitted only after that term's hard state is durable: a block ahead of the
    // hard state then proves that the hard state was lost, and a vote is never guessed.
    for (const { log, hardState } of drafts) {
      if (hardState === null) continue;
      await this.#host.saveHardState(log.group, hardState);
      log.hardState = hardState;
    }
    const sealed = await this.#seal(drafts);
    if (sealed.length > 0) await this.#append(sealed);
    for (const { log, request } of batch) {
      if (request.floor !== undefined) await this.#moveFloor(log, request.floor);
    }
    this.#host.written(batch.length);
  }

  async #seal(drafts: readonly Draft[]): Promise<{ log: GroupLog; block: SealedBlock }[]> {
    const { codec, work, seed } = this.#host;
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
        commitOffset,
        entries,
      };
      const block = codec === 'gzip' ? await sealCompressed(content, work, seed) : sealPlain(content, seed);
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
      log.blocks.add(block.header, location);
      log.durableNumber = block.header.number;
      bytes += block.bytes.length;
      this.#host.mark(log.group, block.header.number);
    }
    this.#host.synced({ blocks: sealed.length, bytes, tookMs });
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

/** Consecutive writes of a group become one block; what does not touch the log makes none. */
function draftsOf(batch: readonly Pending[]): Draft[] {
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
