import type { Term } from '../../../src/raft/entry.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import type { Raft } from '../../../src/raft/raft.ts';
import { Cluster, type FakeReplica } from '../cluster.ts';
import { latestSnapshot, storeSnapshot, writeChunk, writeOldest } from '../fake-disk.ts';
import { seeded } from '../seeded.ts';
import type { Profile, Weights } from './chaos-profiles.ts';
import { ReadOracle } from './read-oracle.ts';
import { SafetyOracle } from './safety-oracle.ts';

/** Drives one cluster by chance alone; what it says and does is compared with what Raft promises. */
export class Chaos {
  readonly cluster: Cluster;
  readonly oracle: SafetyOracle;
  readonly reads: ReadOracle;
  readonly #cutOff = new Set<string>();
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
    this.oracle = new SafetyOracle(this.cluster);
    this.reads = new ReadOracle(this.cluster);
    this.cluster.onSend = (sender, envelope) => this.oracle.checkSaid(sender, envelope);
    this.cluster.onStep = (target) => {
      if (target.core !== null) this.reads.look(target);
      this.oracle.look(target);
    };
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
      this.oracle.noteLost(target, from);
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
      chaos.oracle.checkLogMatching();
    }
  }
  return chaos;
}
