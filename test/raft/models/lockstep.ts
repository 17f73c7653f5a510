import { describeEnvelope } from '../../../src/raft/describe.ts';
import type { Entry, Index } from '../../../src/raft/entry.ts';
import { termAt as coreTermAt } from '../../../src/raft/log.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import type { Raft } from '../../../src/raft/raft.ts';
import type { SnapshotMeta } from '../../../src/raft/snapshot.ts';
import type { Cluster, FakeReplica } from '../cluster.ts';
import type { FakeDisk } from '../fake-disk.ts';
import { latestSnapshot } from '../fake-disk.ts';
import type { AbstractLog } from './abstract-log.ts';
import { entryAt, replacedBy, termAt } from './abstract-log.ts';
import { Dissertation } from './dissertation.ts';
import { pair } from './naive-quorum.ts';
import { Divergence } from './rules.ts';
import { newServer, type Observed, type Server, type Stable, snapshotKey } from './server.ts';

const TRACE_LENGTH = 40;

/**
 * A cluster of real cores and the model beside it: after every step of a core the model is shown what it did,
 * and takes the step too. The cores' disks must not persist, and their state machines not apply, at once, or a
 * step would be many.
 */
export class Lockstep {
  readonly cluster: Cluster;
  readonly model: Dissertation;
  steps = 0;
  /** Changes what the model sees, to prove that it looks. */
  tamper: (observed: Observed, target: FakeReplica) => Observed = (observed) => observed;
  readonly #cores = new Map<string, { readonly core: Raft; readonly server: Server }>();
  readonly #trace: string[] = [];
  #heard: Envelope | null = null;
  #sent: Envelope[] = [];

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.model = new Dissertation({ preVote: cluster.options.preVote });
    cluster.onSend = (_sender, envelope) => this.#sent.push(envelope);
    cluster.onStep = (target) => this.#compare(target);
    const deliver = cluster.deliver.bind(cluster);
    cluster.deliver = (envelope) => {
      this.#heard = envelope;
      deliver(envelope);
      this.#heard = null;
    };
    cluster.network = [];
    for (const target of cluster.replicas) {
      target.disk.persistsAtOnce = false;
      target.appliesAtOnce = false;
      cluster.crash(target.id);
      cluster.start(target.id);
    }
  }

  /** Everything sent arrives, and everything written is durable and applied, until all is quiet. */
  settle(passes: (envelope: Envelope) => boolean = () => true): void {
    const { cluster } = this;
    for (let turn = 0; turn < 1000; turn += 1) {
      cluster.settle(passes);
      let quiet = true;
      for (const target of cluster.replicas) {
        const { disk, loads, snapshotLoads, applying, restoring } = target;
        const waits = disk.pending.length + disk.chunks.length + loads.length + snapshotLoads.length;
        if (waits > 0 || applying !== null || restoring !== null) quiet = false;
        else continue;
        this.finish(target);
        cluster.persist(target.id);
      }
      if (quiet && cluster.network.length === 0) return;
    }
    throw new Error('the cluster does not come to rest');
  }

  /** One of everything that waits, but for writes. */
  finish(target: FakeReplica): void {
    const { cluster } = this;
    cluster.finishApply(target);
    cluster.finishRestore(target);
    cluster.finishLoad(target);
    cluster.finishSnapshotLoad(target);
    cluster.finishChunk(target);
    cluster.drain(target);
  }

  /** Lets the time of one replica pass until it leads. */
  elect(id: string, passes: (envelope: Envelope) => boolean = () => true): void {
    for (let attempt = 0; attempt < 40; attempt += 1) {
      if (this.cluster.core(id).state.role === 'leader') return;
      this.cluster.fire(id);
      this.settle(passes);
    }
    throw new Error(`${id} does not become leader`);
  }

  #compare(target: FakeReplica): void {
    const { id, core, disk } = target;
    if (core === null) return;
    this.steps += 1;
    const stable = stableOf(disk);
    const server = this.#serverOf(target, core, stable);
    const heard = this.#heard !== null && isFor(this.#heard, core) ? this.#heard : null;
    const misaddressed = this.#heard !== null && heard === null && this.#heard.message.kind !== 'JoinRequest';
    const sent = this.#sent;
    this.#sent = [];
    if (this.#heard !== null) this.#note(`${describeEnvelope(this.#heard)}`);
    else this.#note(`${id} goes on`);
    for (const envelope of sent) this.#note(`    ${describeEnvelope(envelope)}`);
    const observed = this.tamper(observe(core, server, { stable, sent }), target);
    const stored = disk.snapshots.map(({ meta }) => meta).filter((meta) => isNew(server, meta));
    try {
      this.model.step(server, { heard, misaddressed, now: this.cluster.now, observed, stable, stored });
    } catch (error) {
      if (error instanceof Divergence) error.message += `\n\n${this.#trace.join('\n')}`;
      throw error;
    }
  }

  /** A new core is a server that knows what its disk knows, and what its running state machine applied. */
  #serverOf({ id, applied }: FakeReplica, core: Raft, stable: Stable): Server {
    const known = this.#cores.get(id);
    if (known?.core === core) return known.server;
    const { snapshots } = this.cluster.replica(id).disk;
    const covered = snapshots.at(-1)?.meta.index ?? 0;
    const server = newServer(id, pair(core.state.self), {
      // The disk's array goes on changing.
      stable: { ...stable, log: { ...stable.log, entries: [...stable.log.entries] } },
      commitIndex: covered > applied.length ? covered : applied.length,
      snapshots: snapshots.map(({ meta }) => meta),
    });
    this.#cores.set(id, { core, server });
    this.#note(`${id} starts, boot ${core.state.self.boot}`);
    return server;
  }

  #note(line: string): void {
    this.#trace.push(line);
    if (this.#trace.length > TRACE_LENGTH) this.#trace.shift();
  }
}

/** What a start from this disk would find: a snapshot that the log does not hold replaces the log. */
function stableOf(disk: FakeDisk): Stable {
  const { floor, entries, hardState } = disk;
  const snapshot = latestSnapshot(disk)?.meta ?? null;
  const onDisk: AbstractLog = { floor, entries };
  const isAhead = snapshot !== null && termAt(onDisk, snapshot.index) !== snapshot.term;
  const { term, votedFor } = hardState;
  return {
    currentTerm: isAhead && snapshot.term > term ? snapshot.term : term,
    votedFor: votedFor === null || (isAhead && snapshot.term > term) ? null : pair(votedFor),
    log: isAhead ? replacedBy(snapshot) : onDisk,
  };
}

/** A message that was not meant for this server teaches it nothing; asking to join teaches nothing of Raft. */
function isFor({ to, clusterId, message }: Envelope, core: Raft): boolean {
  const { self, clusterId: own } = core.state;
  return message.kind !== 'JoinRequest' && to.incarnation === self.incarnation && clusterId === own;
}

function isNew({ snapshots }: Server, meta: SnapshotMeta): boolean {
  return !snapshots.has(snapshotKey(meta));
}

/** Entries that left the cache are as they were: the terms, which stay in memory, are compared anyway. */
function observe(
  core: Raft,
  server: Server,
  { stable, sent }: { readonly stable: Stable; readonly sent: readonly Envelope[] },
): Observed {
  const { hardState, role, commitIndex, applyingIndex, log, configurations } = core.state;
  const entries: Entry[] = [];
  for (let index: Index = log.floorIndex + 1; index <= log.lastIndex; index += 1) {
    const term = coreTermAt(log, index) ?? -1;
    const modelled = entryAt(server.log, index);
    // What is committed was compared when it came.
    if (modelled?.term === term && index <= server.commitIndex) {
      entries.push(modelled);
      continue;
    }
    const cached = core.cachedEntries(index, index)?.[0];
    const known = [modelled, entryAt(stable.log, index)].find((one) => one?.term === term);
    entries.push(cached ?? known ?? { kind: 'noop', index, term });
  }
  return {
    currentTerm: hardState.term,
    votedFor: hardState.votedFor === null ? null : pair(hardState.votedFor),
    role,
    commitIndex,
    applyingIndex,
    log: {
      floor: {
        index: log.floorIndex,
        term: log.floorTerm,
        configuration: configurations[0]?.configuration ?? null,
      },
      entries,
    },
    configurations: configurations.map(({ index, configuration }) => ({ index, id: configuration.id })),
    sent,
  };
}
