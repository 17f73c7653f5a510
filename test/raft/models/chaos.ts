import type { Entry, Index, Term } from '../../../src/raft/entry.ts';
import { termAt } from '../../../src/raft/log.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import type { RaftOptions } from '../../../src/raft/options.ts';
import type { Raft } from '../../../src/raft/raft.ts';
import {
  entryOn,
  type FakeDisk,
  latestSnapshot,
  storeSnapshot,
  writeChunk,
  writeOldest,
} from '../fake-disk.ts';
import { Cluster, type FakeReplica, seeded } from '../harness.ts';
import { ReadOracle } from './read-oracle.ts';

/** Weights of what happens next. */
export interface Weights {
  readonly deliver: number;
  readonly drop: number;
  readonly duplicate: number;
  readonly persist: number;
  readonly tick: number;
  readonly propose: number;
  readonly apply: number;
  readonly load: number;
  readonly crash: number;
  readonly restart: number;
  readonly failWrite: number;
  readonly jump: number;
  readonly cut: number;
  readonly compact: number;
  readonly restore: number;
  readonly read: number;
  readonly transfer: number;
  readonly stall: number;
  readonly pause: number;
  /** Its clock runs faster or slower from now on, within what `clockDriftMaxRatio` allows. */
  readonly drift: number;
  /** Its clock steps by so much that it is noticed. */
  readonly step: number;
  /** The leader is cut off just when it is least welcome. */
  readonly ambush: number;
  /** A disk loses entries while its replica is down. */
  readonly damage: number;
  /** Peers are asked for what one lost. */
  readonly repair: number;
  /** A disk is nearly full from now on, or has space again. */
  readonly fill: number;
}

export interface Profile {
  readonly weights: Weights;
  readonly options: Partial<RaftOptions>;
  /** At most this much time passes at once; milliseconds. */
  readonly tickMs: number;
  /** More than a minority of the disks may lack something at a time. */
  readonly damagesAll?: boolean;
}

const rough: Weights = {
  deliver: 900,
  drop: 30,
  duplicate: 30,
  persist: 450,
  tick: 140,
  propose: 100,
  apply: 150,
  load: 100,
  crash: 2,
  restart: 10,
  failWrite: 2,
  jump: 1,
  cut: 3,
  compact: 8,
  restore: 60,
  read: 60,
  transfer: 2,
  stall: 12,
  pause: 0,
  drift: 0,
  step: 0,
  ambush: 0,
  damage: 0,
  repair: 0,
  fill: 0,
};

const damaging = { ...rough, crash: 6, restart: 40, damage: 6, repair: 80, cut: 8, propose: 140 };

export const profiles = {
  calm: {
    weights: { ...rough, drop: 10, duplicate: 10, crash: 0, failWrite: 0, jump: 0, cut: 0, propose: 200 },
    options: {},
    tickMs: 40,
  },
  rough: { weights: rough, options: {}, tickMs: 40 },
  /** Little holds back elections: many leaders, and logs that conflict. */
  turbulent: {
    weights: { ...rough, duplicate: 150, crash: 5, restart: 20, cut: 12 },
    options: { preVote: false, checkQuorum: false, clockGapMs: 100_000 },
    tickMs: 60,
  },
  /** Clocks that keep to the declared bound, processes that stand still, and leaders that come and go. */
  leases: {
    weights: {
      ...rough,
      persist: 700,
      apply: 250,
      tick: 200,
      read: 200,
      propose: 120,
      transfer: 12,
      stall: 12,
      pause: 25,
      drift: 10,
      step: 2,
      ambush: 15,
      jump: 0,
      crash: 4,
      restart: 25,
      cut: 4,
      failWrite: 1,
      compact: 2,
    },
    options: { clockDriftMaxRatio: 0.4 },
    tickMs: 40,
  },
  /** Disks that lose what was acknowledged, on a minority at a time. */
  damaged: {
    weights: damaging,
    options: { clockGapMs: 100_000 },
    tickMs: 40,
  },
  /** The same, and disks that are nearly full, any number of them at a time. */
  crowded: {
    weights: { ...damaging, fill: 12, transfer: 8 },
    options: { clockGapMs: 100_000 },
    tickMs: 40,
  },
  /** As `damaged`, on as many at a time as chance will have. */
  ruined: { weights: damaging, options: { clockGapMs: 100_000 }, tickMs: 40, damagesAll: true },
} satisfies Record<string, Profile>;

/** Drives one cluster by chance alone and compares everything said and done with what Raft promises. */
export class Chaos {
  readonly cluster: Cluster;
  readonly leaders = new Map<Term, string>();
  readonly committed: Entry[] = [];
  readonly votes = new Map<string, string>();
  readonly reads: ReadOracle;
  readonly #cutOff = new Set<string>();
  /** Entries that once were on a disk: they may have been counted before they were lost. */
  readonly #lost = new Set<string>();
  /** Those whose disk does nothing until they are told that it answers, or another process has the disk. */
  readonly #hanging = new WeakSet<Raft>();
  readonly #random;
  readonly #profile: Profile;

  constructor(seed: number, replicas: number, profile: Profile) {
    this.#random = seeded(seed);
    this.#profile = profile;
    const ids = Array.from({ length: replicas }, (_, position) => `n${position + 1}`);
    this.cluster = new Cluster(ids, {
      seed,
      // Small bounds, so that windows fill, caches evict and loads happen all the time.
      options: {
        clockGapMs: 250,
        messageBytesMax: 80,
        inflightMessagesMax: 3,
        inflightBytesMax: 200,
        applyEntriesMax: 2,
        uncommittedBytesMax: 600,
        cacheBytesMax: 150,
        diskBacklogBytesMax: 300,
        applyBytesMax: 60,
        snapshotChunkBytes: 4000,
        snapshotChunksInflightMax: 3,
        // Now this, now that: none, a few and all.
        snapshotPinnedEntriesMax: seed % 3 === 0 ? 1000 : seed % 3,
        snapshotBytesPerSecondMax: seed % 2 === 0 ? 0 : 200_000,
        ...profile.options,
      },
    });
    for (const target of this.cluster.replicas) {
      target.disk.persistsAtOnce = false;
      target.appliesAtOnce = false;
    }
    this.cluster.onSend = (sender, envelope) => this.#checkSaid(sender, envelope);
    this.cluster.onStep = (target) => this.#checkReplica(target);
    this.reads = new ReadOracle(this.cluster);
  }

  step(): void {
    const kind = this.#choose();
    const target = this.#pick(this.cluster.replicas);
    // What is stopped does nothing by itself.
    if (!this.cluster.paused.has(target.id) || kind === 'pause' || kind === 'crash')
      this.#actions[kind](target);
  }

  readonly #actions: Record<keyof Weights, (target: FakeReplica) => void> = {
    deliver: () =>
      this.#withMessage((envelope) => {
        if (this.#cutOff.has(envelope.from.id) === this.#cutOff.has(envelope.to.id)) {
          this.cluster.deliver(envelope);
        } else {
          this.#remove(envelope);
        }
      }),
    drop: () => this.#withMessage((envelope) => this.#remove(envelope)),
    duplicate: () => this.#withMessage((envelope) => this.cluster.network.push(envelope)),
    persist: ({ id, core }) => {
      const writes = this.#random.integer(1, 4);
      if (core !== null && !this.#hanging.has(core)) this.cluster.persist(id, writes);
    },
    tick: () => {
      this.cluster.now += this.#random.integer(0, this.#profile.tickMs);
      for (const each of this.cluster.replicas) {
        if (this.cluster.paused.has(each.id)) continue;
        each.core?.tick(this.cluster.timeOf(each));
        this.cluster.drain(each);
      }
    },
    propose: ({ id, core }) => {
      if (core !== null) this.cluster.propose(id, `${this.cluster.now}`, 'and more of it');
    },
    apply: (target) => {
      this.cluster.finishApply(target);
      this.cluster.drain(target);
    },
    load: (target) => {
      if (target.core === null) return;
      this.cluster.finishLoad(target, this.#random.integer(0, 5) === 0);
      this.cluster.finishSnapshotLoad(target, this.#random.integer(0, 8) === 0);
      this.cluster.finishChunk(target);
      this.cluster.drain(target);
    },
    crash: (target) => {
      const { id, disk, core, applied } = target;
      // What was being written may have reached the disk, or a part of it, without being reported.
      let reached = this.#random.integer(0, disk.pending.length + 1);
      for (; reached > 0; reached -= 1) writeOldest(disk);
      if (this.#random.integer(0, 2) === 0) writeChunk(disk);
      const isNew = applied.length > (latestSnapshot(disk)?.meta.index ?? 0);
      if (core !== null && isNew && this.#random.integer(0, 2) === 0) {
        storeSnapshot(disk, this.cluster.snapshotOf(id, applied.length));
      }
      this.cluster.crash(id);
    },
    compact: (target) => {
      const { id, core, applied, disk } = target;
      const from = latestSnapshot(disk)?.meta.index ?? 0;
      if (core === null || target.restoring !== null || applied.length <= from) return;
      const index =
        this.#random.integer(0, 3) === 0 ? this.#random.integer(from, applied.length) : applied.length;
      if (index > from) this.cluster.compact(id, index, this.#random.integer(0, 6));
    },
    restore: (target) => {
      this.cluster.finishRestore(target);
      this.cluster.drain(target);
    },
    restart: ({ id, core }) => {
      if (core !== null) return;
      // The clock of another process begins somewhere else; not before the epoch of any.
      this.cluster.setClock(id, { byMs: this.#random.integer(-1000, 200) });
      this.cluster.start(id);
    },
    failWrite: (target) => {
      if (target.core === null || target.disk.pending.length === 0) return;
      target.core.writeFailed(this.cluster.timeOf(target));
      this.cluster.drain(target);
      this.cluster.start(target.id, true);
    },
    jump: (target) => {
      // Its clock alone steps back, or stood still for a while.
      target.core?.tick(this.cluster.timeOf(target) + this.#random.integer(-800, 800));
      this.cluster.drain(target);
    },
    read: ({ id, core }) => {
      if (core !== null) this.reads.ask(id, { lease: this.#random.integer(0, 2) === 0 });
    },
    transfer: ({ id, core }) => {
      if (core === null) return;
      if (this.#random.integer(0, 4) === 0) this.cluster.stepDown(id);
      else
        this.cluster.transfer(
          id,
          this.#random.integer(0, 3) === 0 ? null : this.#pick(this.cluster.replicas).id,
        );
    },
    stall: ({ id, core }) => {
      if (core === null) return;
      const { stall } = core.state;
      const hangs = this.#hanging.has(core);
      if (hangs && !stall.storageStalled) {
        // It has hung for a while, and is noticed now.
        this.cluster.stall(id, 'storage');
      } else if (hangs || stall.stateMachineStalled) {
        this.#hanging.delete(core);
        this.cluster.answer(id, 'storage');
        this.cluster.answer(id, 'state-machine');
      } else if (this.#random.integer(0, 6) === 0) {
        if (this.#random.integer(0, 2) === 0) this.#hanging.add(core);
        else this.cluster.stall(id, 'state-machine');
      }
    },
    pause: ({ id, core }) => {
      if (this.cluster.paused.has(id)) this.#wake(id);
      else if (core !== null && this.#random.integer(0, 5) === 0) this.cluster.pause(id);
    },
    drift: ({ id }) => this.cluster.setClock(id, { rate: this.#rate() }),
    step: (target) => {
      const { id, core } = target;
      if (core === null) return;
      // Up to now it was right.
      core.tick(this.cluster.timeOf(target));
      this.cluster.drain(target);
      const ahead = (core.deadline ?? 0) - this.cluster.timeOf(target) + this.cluster.options.clockGapMs;
      const forward = this.#random.integer(0, 2) === 0 && ahead > 0;
      this.cluster.setClock(id, { byMs: forward ? Math.ceil(ahead) + 1 : -this.#random.integer(1, 800) });
      core.tick(this.cluster.timeOf(target));
      this.cluster.drain(target);
    },
    ambush: (target) => {
      const how = this.#random.integer(0, 10);
      this.#cutOff.clear();
      if (how > 4) return;
      const [leader] = this.cluster.leaders.sort((a, b) => termOf(b) - termOf(a));
      if (leader === undefined || this.cluster.paused.has(leader.id)) return;
      const others = this.cluster.replicas.filter(({ id, core }) => id !== leader.id && core !== null);
      if (others.length === 0) return;
      const other = this.#pick(others).id;
      if (how === 0) {
        this.cluster.transfer(leader.id, other);
        const sent = this.cluster.network.find(({ message }) => message.kind === 'TimeoutNow');
        if (sent !== undefined) this.cluster.deliver(sent);
      } else if (how === 1) {
        this.cluster.crash(other);
        this.#actions.restart(this.cluster.replica(other));
      } else if (how === 2) {
        this.#actions.step(leader);
      } else if (how === 3) {
        this.cluster.pause(leader.id);
      }
      this.#cutOff.add(leader.id);
      if (this.cluster.replicas.length > 3 && target.id !== other) this.#cutOff.add(target.id);
    },
    damage: (target) => {
      const { id, disk } = target;
      const { replicas } = this.cluster;
      const others = replicas.filter((one) => one !== target && isIncomplete(one)).length;
      const tooMany = (others + 1) * 2 >= replicas.length && this.#profile.damagesAll !== true;
      if (tooMany) return;
      this.#actions.crash(target);
      if (disk.entries.length < 2) return;
      const last = disk.floor.index + disk.entries.length;
      const from = last - this.#random.integer(0, Math.min(disk.entries.length, 12));
      const isTail = disk.damage !== null || this.#random.integer(0, 2) === 0;
      const to = isTail ? last : this.#random.integer(from, last + 1);
      this.#noteLost(target, from);
      this.cluster.damage(id, from, to, isTail);
    },
    repair: ({ id, core }) => {
      if (core === null || !core.state.repairing) return;
      const repaired = this.cluster.repair(id, this.#pick(this.cluster.replicas).id);
      if (!repaired && this.#random.integer(0, 8) === 0) this.cluster.abandonRepair(id);
    },
    fill: ({ id, core }) => {
      if (core === null) return;
      // Enough for a few entries, or for none.
      const spareBytes = this.#random.integer(0, 3) === 0 ? 0 : this.#random.integer(20, 400);
      this.cluster.diskSpace(id, core.state.stall.diskNearlyFull ? null : spareBytes);
    },
    cut: ({ id }) => {
      // Now on the one side, now on the other; now and then nobody is cut off.
      if (this.#cutOff.has(id) || this.#random.integer(0, 3) === 0) this.#cutOff.clear();
      else this.#cutOff.add(id);
    },
  };

  #noteLost({ id, disk }: FakeReplica, from: Index): void {
    for (const { index, term } of disk.entries) if (index >= from) this.#lost.add(`${id} ${index}/${term}`);
    for (const { index, term } of disk.damage?.beyond ?? []) this.#lost.add(`${id} ${index}/${term}`);
  }

  /** Its clock went on, or back to before it was stopped; and it is asked to read before it hears anything. */
  #wake(id: string): void {
    const target = this.cluster.replica(id);
    this.cluster.resume(id);
    const { core } = target;
    if (core === null) return;
    const known = core.state.now - core.state.clockOffsetMs;
    if (this.#random.integer(0, 3) === 0) {
      this.cluster.setClock(id, { byMs: known - this.cluster.timeOf(target) - this.#random.integer(1, 100) });
    }
    for (const lease of [true, false]) this.reads.ask(id, { lease });
  }

  /** Of two of the rates, the one is at least six tenths of the other. */
  #rate(): number {
    return this.#random.integer(750, 1251) / 1000;
  }

  #remove(envelope: Envelope): void {
    this.cluster.network.splice(this.cluster.network.indexOf(envelope), 1);
  }

  /** Everything heals: everyone runs, nothing is lost, and time goes on. */
  heal(): void {
    const { cluster } = this;
    for (const id of [...cluster.paused.keys()]) cluster.resume(id);
    for (const target of cluster.replicas) {
      target.disk.persistsAtOnce = true;
      target.appliesAtOnce = true;
      if (target.core === null) cluster.start(target.id);
      cluster.finishApply(target);
      cluster.persist(target.id);
      cluster.answer(target.id, 'storage');
      cluster.answer(target.id, 'state-machine');
      cluster.diskSpace(target.id, null);
    }
    // Clocks that went ahead or back in the chaos come together in the time that follows.
    for (let round = 0; round < 8; round += 1) {
      for (const { id } of cluster.replicas) this.#repairFromAnyone(id);
      cluster.run(1000);
    }
    const [leader] = cluster.leaders.sort((a, b) => termOf(b) - termOf(a));
    if (leader === undefined) throw new Error('no leader after healing');
    cluster.propose(leader.id, 'after healing');
    cluster.run(1000);
  }

  #repairFromAnyone(id: string): void {
    const { core } = this.cluster.replica(id);
    if (!core?.state.repairing) return;
    if (this.cluster.replicas.some((peer) => this.cluster.repair(id, peer.id))) return;
    if (core.state.leader !== null) this.cluster.abandonRepair(id);
  }

  /** Election Safety, the invariants of each state, and State Machine Safety as entries are applied. */
  #checkReplica(target: FakeReplica): void {
    const { id, core, applied } = target;
    if (core === null) return;
    const { state } = core;
    this.reads.look(target);
    const { role, hardState, log } = state;
    if (role === 'leader') {
      const known = this.leaders.get(hardState.term);
      if (known === undefined) {
        this.leaders.set(hardState.term, id);
        // Leader Completeness: whatever was committed in earlier terms is in its log.
        for (const entry of this.committed) {
          if (entry.index < log.floorIndex) continue;
          if (termAt(log, entry.index) !== entry.term) {
            throw new Error(`leader ${id} of term ${hardState.term} misses ${entry.index}/${entry.term}`);
          }
        }
      } else if (known !== id) {
        throw new Error(`two leaders of term ${hardState.term}: ${known} and ${id}`);
      }
    }
    for (let index = this.committed.length + 1; index <= state.settledIndex; index += 1) {
      // An only voter may commit, apply and compact an entry in one go.
      const isAlone = this.cluster.replicas.length === 1;
      const own = isAlone ? applied.find((entry) => entry.index === index) : undefined;
      if (index < log.floorIndex && own === undefined)
        throw new Error(`a snapshot of ${id} holds ${index}, which nobody committed`);
      const term = termAt(log, index) ?? own?.term ?? -1;
      this.#checkOnQuorum(index, term);
      const entry = core.cachedEntries(index, index)?.[0];
      this.committed.push(entry ?? own ?? { kind: 'noop', index, term });
    }
    const last = applied.at(-1);
    const same = last === undefined ? undefined : this.committed[last.index - 1];
    if (last !== undefined && same?.term !== last.term) {
      throw new Error(`${id} applied ${last.index}/${last.term}, committed is ${same?.term}`);
    }
    if (state.settledIndex > 0 && state.settledIndex <= this.committed.length) {
      const term = termAt(log, state.settledIndex);
      if (this.committed[state.settledIndex - 1]?.term !== term) {
        throw new Error(`${id} thinks ${state.settledIndex}/${term} is committed`);
      }
    }
  }

  /** At the moment it is first known to be committed, an entry is on the disks of a majority. */
  #checkOnQuorum(index: Index, term: Term): void {
    const { replicas } = this.cluster;
    const holders = replicas.filter(
      ({ id, disk }) =>
        entryOn(disk, index)?.term === term ||
        (latestSnapshot(disk)?.meta.index ?? 0) >= index ||
        disk.damage?.beyond.some((entry) => entry.index === index && entry.term === term) ||
        (this.#lost.has(`${id} ${index}/${term}`) && promises(disk, { index, term })),
    ).length;
    if (holders * 2 <= replicas.length) {
      throw new Error(`${index}/${term} is committed and on ${holders} of ${replicas.length} disks`);
    }
  }

  /** Nothing is said that the speaker's disk does not hold; nobody votes twice in a term. */
  #checkSaid({ id, disk }: FakeReplica, { message, to }: Envelope): void {
    const says = `${id} says ${message.kind} of term ${message.kind === 'RequestVote' ? message.term : ''}`;
    if (message.kind === 'RequestVote' || (message.kind === 'VoteResponse' && message.granted)) {
      const candidate = message.kind === 'RequestVote' ? id : to.id;
      if (disk.hardState.term !== message.term || disk.hardState.votedFor?.id !== candidate) {
        throw new Error(`${says}, on disk is ${JSON.stringify(disk.hardState)}`);
      }
      const key = `${id} in ${message.term}`;
      if ((this.votes.get(key) ?? candidate) !== candidate) throw new Error(`${key} votes twice`);
      this.votes.set(key, candidate);
    }
    if (
      (message.kind === 'AppendEntriesResponse' && message.accepted) ||
      (message.kind === 'HeartbeatResponse' && message.round > 0)
    ) {
      const leader = this.cluster.replica(to.id);
      if (disk.hardState.term !== message.term) throw new Error(`${says}: the term is not on disk`);
      // What a durable snapshot covers is found after a crash, whatever the log on the disk still holds there.
      if (message.matchIndex <= (latestSnapshot(disk)?.meta.index ?? 0)) return;
      const own = entryOn(disk, message.matchIndex);
      if (own === undefined) throw new Error(`${says}: match beyond its disk`);
      const { core } = leader;
      if (core?.state.role !== 'leader' || termOf(leader) !== message.term) return;
      if (own.index < core.state.log.floorIndex) return;
      if (termAt(core.state.log, own.index) !== own.term) throw new Error(`${says}: another entry`);
    }
  }

  /** Log Matching (paper 5.3) over what is in memory. */
  checkLogMatching(): void {
    const logs = this.cluster.replicas.flatMap(({ core }) => (core === null ? [] : [core.state.log]));
    for (const [position, one] of logs.entries()) {
      for (const other of logs.slice(position + 1)) {
        let agreed = true;
        const first = Math.max(1, one.floorIndex, other.floorIndex);
        for (let index = first; index <= one.lastIndex && index <= other.lastIndex; index += 1) {
          const same = termAt(one, index) === termAt(other, index);
          if (same && !agreed) throw new Error(`two logs agree at ${index} and not before`);
          agreed = same;
        }
      }
    }
  }

  #choose(): keyof Weights {
    const kinds = Object.keys(this.#profile.weights) as (keyof Weights)[];
    const total = kinds.reduce((sum, kind) => sum + this.#profile.weights[kind], 0);
    let at = this.#random.integer(0, total);
    for (const kind of kinds) {
      at -= this.#profile.weights[kind];
      if (at < 0) return kind;
    }
    return 'deliver';
  }

  /** Old messages go first more often than not, but any may. */
  #withMessage(act: (envelope: Envelope) => unknown): void {
    const { network } = this.cluster;
    if (network.length === 0) return;
    const anywhere = this.#random.integer(0, 4) === 0;
    const limit = anywhere ? network.length : Math.min(3, network.length);
    const envelope = network[this.#random.integer(0, limit)];
    if (envelope !== undefined) act(envelope);
    if (network.length > 400) network.splice(0, 200);
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[this.#random.integer(0, items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

/**
 * Whether its disk still says that up to this entry there may have been more than it holds: then it votes as if it held
 * it, whether the disk lost the entry, or it stood behind what was lost and a leader's log or snapshot took its place.
 */
function promises(
  { damage, hardState: { missing } }: FakeDisk,
  entry: Pick<Entry, 'index' | 'term'>,
): boolean {
  if (damage !== null) return true;
  if (missing === undefined || missing.term < entry.term) return false;
  return missing.term > entry.term || missing.index === null || missing.index >= entry.index;
}

function isIncomplete({ disk, core }: FakeReplica): boolean {
  const hardState = core?.state.hardState ?? disk.hardState;
  return disk.damage !== null || hardState.missing !== undefined || disk.hardState.missing !== undefined;
}

function termOf({ core }: FakeReplica): Term {
  return core?.state.hardState.term ?? -1;
}

export function drive(seed: number, replicas: number, steps: number, profile: Profile): Chaos {
  const chaos = new Chaos(seed, replicas, profile);
  for (let step = 0; step < steps; step += 1) {
    chaos.step();
    if (step % 100 === 0) {
      chaos.cluster.checkWholeLogs();
      chaos.checkLogMatching();
    }
  }
  return chaos;
}
