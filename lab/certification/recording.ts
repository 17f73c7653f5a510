import type { GroupId } from '../../src/raft/identity.ts';
import type { LogStorage, StorageInstance, WriteRequest } from '../../src/storage/contract.ts';
import { SimulatedRandom } from '../world/simulated/random.ts';
import * as content from './content.ts';
import { type CrashState, crashStates } from './crash-states.ts';
import {
  acknowledged,
  type Expectation,
  type ExpectedSnapshot,
  expectNothing,
  found,
  groupOf,
  latestLog,
  submitted,
  withGroup,
} from './expectation.ts';
import { emptyImage, type Image } from './image.ts';
import type { JournalRecord } from './journal.ts';
import { checkWhole } from './judge.ts';
import { Killed, Life, type StorageFactory } from './life.ts';
import { Medium } from './medium.ts';
import { Turn } from './process.ts';
import { show } from './shown.ts';
import { describeWorkload, type Step, type Workload } from './workload.ts';
import { asWrong, type Wrong } from './wrong.ts';

/** Enough for whatever a storage does once it has been left alone for a while. */
const WAIT_MS = 1000;
const [first] = content.groups;

/** What a power cut may leave after one record of the journal, and what must be there then. */
export interface Moment {
  /** Records before the power cut. */
  readonly position: number;
  readonly states: readonly CrashState[];
  readonly complete: boolean;
  readonly expectation: Expectation;
}

export interface Stopped {
  readonly image: Image;
  readonly expectation: Expectation;
}

export interface Recording {
  readonly workload: Workload;
  readonly journal: readonly JournalRecord[];
  /** Of the last step alone: those before it are moments of shorter workloads. */
  readonly moments: readonly Moment[];
  readonly killed: Stopped;
  readonly closed: Stopped;
  /** What it showed wrong though nothing but the workload befell it. */
  readonly failure: Wrong | null;
}

/**
 * Runs a workload over a disk that keeps a journal, and enumerates what a power cut may leave after each record
 * of its last step.
 */
export async function record(
  factory: StorageFactory,
  workload: Workload,
  options: { readonly seed: number; readonly statesMax: number },
): Promise<Recording> {
  const recorder = new Recorder(factory, workload, options);
  return recorder.run();
}

class Recorder {
  readonly #factory: StorageFactory;
  readonly #workload: Workload;
  readonly #statesMax: number;
  readonly #random: SimulatedRandom;
  readonly #journal: JournalRecord[] = [];
  readonly #moments: Moment[] = [];
  #expectation = expectNothing(content.groups);
  #enumerates = false;
  /** When it is recorded next, the power goes. */
  #cutsAt: ((record: JournalRecord) => boolean) | null = null;
  #medium: Medium;
  #life: Life;
  #instance: StorageInstance | null = null;
  readonly #logs = new Map<GroupId, LogStorage>();
  #sequence = 0;
  #lives = 0;

  constructor(
    factory: StorageFactory,
    workload: Workload,
    { seed, statesMax }: { readonly seed: number; readonly statesMax: number },
  ) {
    this.#factory = factory;
    this.#workload = workload;
    this.#statesMax = statesMax;
    this.#random = SimulatedRandom.fromSeed(seed);
    this.#medium = this.#mediumOf(emptyImage);
    this.#life = this.#bear();
  }

  async run(): Promise<Recording> {
    let killed = this.#stopped();
    let closed = killed;
    let failure: Wrong | null = null;
    try {
      await this.#work();
      killed = this.#stopped();
      await this.#life.driven(this.#opened().close());
      closed = this.#stopped();
    } catch (error) {
      failure = asWrong(error);
    }
    this.#life.kill();
    return {
      workload: this.#workload,
      journal: this.#journal,
      moments: this.#moments,
      killed,
      closed,
      failure,
    };
  }

  async #work(): Promise<void> {
    this.#enumerates = this.#workload.length === 0;
    if (this.#enumerates) this.#enumerate();
    await this.#open();
    for (const [place, step] of this.#workload.entries()) {
      if (place === this.#workload.length - 1) this.#enumerates = true;
      await this.#take(step, place);
    }
    this.#judgeLastMomentBy(this.#expectation);
    this.#enumerates = false;
  }

  #stopped(): Stopped {
    return { image: this.#medium.image(), expectation: this.#expectation };
  }

  async #take(step: Step, place: number): Promise<void> {
    const log = latestLog(this.#expectation, first);
    switch (step) {
      case 'append':
        return this.#write(first, content.appendTo(log, first));
      case 'append to all':
        // Two in one log, pipelined, and one in another: they may share a commit.
        await Promise.all([
          this.#write(first, content.appendTo(log, first)),
          this.#write(first, content.appendTo(latestLog(this.#expectation, first), first)),
          ...content.groups
            .slice(1)
            .map((group) => this.#write(group, content.appendTo(latestLog(this.#expectation, group), group))),
        ]);
        return;
      case 'append a long entry':
        return this.#write(first, content.appendTo(log, first, true));
      case 'vote':
        return this.#write(first, content.voteIn(log));
      case 'replace':
        return this.#write(first, content.replaceLastOf(log, first));
      case 'compact':
        return this.#compact();
      case 'install a snapshot':
        return this.#install(content.snapshotBeyond(log, first));
      case 'adopt a cluster':
        return this.#adopt();
      case 'wait':
        return this.#wait();
      case 'reopen':
        await this.#life.driven(this.#opened().close());
        return this.#begin(this.#medium);
      case 'kill':
        return this.#begin(this.#medium);
      case 'cut the power':
        return this.#cutThePower(place);
    }
  }

  async #open(): Promise<void> {
    const instance = await this.#life.open();
    this.#instance = instance;
    const { shown, logs } = await show(this.#life, instance);
    checkWhole(shown, this.#expectation);
    const { incarnation, boot, clusterId } = instance.identity;
    this.#expectation = { ...this.#expectation, incarnation, boot, clusterIds: [clusterId] };
    this.#logs.clear();
    for (const [group, log] of logs) this.#logs.set(group, log);
    for (const [group, { log }] of shown.groups) this.#expectation = found(this.#expectation, group, log);
  }

  async #write(group: GroupId, request: Omit<WriteRequest, 'writeId'>): Promise<void> {
    this.#sequence += 1;
    const write: WriteRequest = { writeId: { boot: 1, sequence: this.#sequence }, ...request };
    this.#expectation = submitted(this.#expectation, group, write);
    const number = groupOf(this.#expectation, group).admissible.at(-1)?.write ?? 0;
    const log = this.#logs.get(group);
    if (log === undefined) throw new Error(`the log of ${group} is not open`);
    await this.#life.driven(
      log.write(write).then(() => {
        this.#expectation = acknowledged(this.#expectation, group, number);
      }),
    );
  }

  async #compact(): Promise<void> {
    const log = latestLog(this.#expectation, first);
    const snapshot = content.snapshotOf(log, first);
    if (snapshot.index === 0) return;
    await this.#keep(snapshot);
    await this.#write(first, content.floorBelow(log));
  }

  async #install(snapshot: ExpectedSnapshot): Promise<void> {
    await this.#keep(snapshot);
    await this.#write(first, content.floorAt(latestLog(this.#expectation, first), snapshot));
  }

  async #keep(snapshot: ExpectedSnapshot): Promise<void> {
    const { snapshots, snapshotsUnderWay } = groupOf(this.#expectation, first);
    this.#expectation = withGroup(this.#expectation, first, {
      snapshots: [...snapshots, snapshot],
      snapshotsUnderWay: [...snapshotsUnderWay, snapshot],
    });
    await this.#life.driven(this.#opened().snapshots(first).write(snapshot, [snapshot.content]));
    this.#expectation = withGroup(this.#expectation, first, { snapshot, snapshotsUnderWay: [] });
  }

  async #adopt(): Promise<void> {
    const { clusterIds } = this.#expectation;
    this.#expectation = { ...this.#expectation, clusterIds: [...clusterIds, content.cluster] };
    await this.#life.driven(this.#opened().adoptCluster(content.cluster));
    this.#expectation = { ...this.#expectation, clusterIds: [content.cluster] };
  }

  async #wait(): Promise<void> {
    const { clock } = this.#life;
    const byMs = clock.now() + WAIT_MS;
    do {
      for (let turns = 0; turns < 2 || this.#life.process.syncs > 0; turns += 1) await new Turn().come;
    } while (clock.runNext(byMs));
  }

  /** While a long entry is being written: what arrived of it is left to chance. */
  async #cutThePower(place: number): Promise<void> {
    const chance = this.#random.stream(describeWorkload(this.#workload.slice(0, place + 1)));
    this.#cutsAt = ({ kind }) => kind === 'write' || kind === 'database write';
    try {
      await this.#write(first, content.appendTo(latestLog(this.#expectation, first), first, true));
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    this.#cutsAt = null;
    const { states } = crashStates(this.#medium, chance, this.#statesMax);
    const state = states[chance.integer(0, states.length)];
    await this.#begin(this.#mediumOf(state?.image ?? this.#medium.durableImage()));
  }

  /** Another process, after this one. */
  async #begin(medium: Medium): Promise<void> {
    this.#life.kill();
    this.#medium = medium;
    this.#life = this.#bear();
    await this.#open();
  }

  #bear(): Life {
    this.#lives += 1;
    return new Life(this.#factory, this.#medium, this.#random.stream(`life ${this.#lives}`));
  }

  #mediumOf(image: Image): Medium {
    const medium = new Medium(image);
    medium.onRecord = (record) => {
      this.#judgeLastMomentBy(this.#expectation);
      this.#journal.push(record);
      if (this.#enumerates) this.#enumerate();
      if (this.#cutsAt?.(record) === true) this.#life.kill();
    };
    return medium;
  }

  #enumerate(): void {
    const position = this.#journal.length;
    const chance = this.#random.stream(`${describeWorkload(this.#workload)} ${position}`);
    const { states, complete } = crashStates(this.#medium, chance, this.#statesMax);
    this.#moments.push({ position, states, complete, expectation: this.#expectation });
  }

  /** A power cut comes at the end of its moment: all that was acknowledged until the next record counts. */
  #judgeLastMomentBy(expectation: Expectation): void {
    const last = this.#moments.pop();
    if (last !== undefined) this.#moments.push({ ...last, expectation });
  }

  #opened(): StorageInstance {
    if (this.#instance === null) throw new Error('the storage is not open');
    return this.#instance;
  }
}
