import { expect } from 'vitest';
import type { WorldObservation } from '../../../lab/checkers/checker.ts';
import { parseScenario } from '../../../lab/scenario/parse.ts';
import { CheckedCluster } from '../../../lab/world/simulated/checked-cluster.ts';
import type { SimulatedCluster } from '../../../lab/world/simulated/cluster.ts';
import type { NodeStatus } from '../../../src/node/status.ts';
import type { RaftEvent } from '../../../src/raft/event.ts';
import type { NodeId } from '../../../src/raft/identity.ts';
import type { JoinOutcome } from '../../../src/raft/message.ts';

/** Snapshots are frequent and small, so that whoever comes back mostly needs one. */
const SCENARIO = `
name: identity
duration: 1m
cluster: {replicas: 3, snapshots: {entries: 40, keep-entries: 10, chunk: 512B}}
workload: {clients: 3, operations-per-second: 30}
`;

export const allThree = { members: ['n1', 'n2', 'n3'] };

/** A cluster of three under load whose disks and processes a test plays tricks with; every step is checked. */
export class IdentityWorld {
  readonly checked: CheckedCluster;
  /** Every answer to a request to be let in, as it reached a machine. */
  readonly answers: { readonly machine: NodeId; readonly boot: number; readonly answer: JoinOutcome }[] = [];
  /** Every newcomer that a machine told of. */
  readonly newcomers: (Extract<RaftEvent, { kind: 'newcomer' }> & { readonly by: NodeId })[] = [];
  /** Of every cluster that was ever founded. */
  readonly clusterIds = new Set<string>();

  constructor(seed: number) {
    this.checked = new CheckedCluster({
      scenario: parseScenario({ text: SCENARIO, file: 'identity.yaml' }),
      seed,
      observe: (world) => this.#observe(world),
    });
  }

  get cluster(): SimulatedCluster<unknown, unknown, unknown, unknown> {
    return this.checked.cluster as SimulatedCluster<unknown, unknown, unknown, unknown>;
  }

  /** Founds the cluster and lets clients work for a while. */
  async begin(): Promise<this> {
    this.cluster.start();
    await this.until('a leader', () => this.cluster.leader() !== null);
    this.checked.clients.start();
    await this.for(3_000);
    return this;
  }

  async for(ms: number): Promise<void> {
    await this.checked.runUntil(this.checked.nowMs + ms, () => false);
    this.#requireSound();
  }

  /** Runs on until something is so, which must be soon. */
  async until(what: string, when: () => boolean, withinMs = 20_000): Promise<void> {
    await this.checked.runUntil(this.checked.nowMs + withinMs, when);
    this.#requireSound();
    expect(when(), `${what} within ${withinMs} ms`).toBe(true);
  }

  status(machine: NodeId): NodeStatus {
    const { node } = this.cluster.machine(machine);
    if (node === null) throw new Error(`${machine} is down`);
    return node.status();
  }

  leaderStatus(): NodeStatus {
    const leader = this.cluster.leader();
    if (leader === null) throw new Error('nobody leads');
    return this.status(leader);
  }

  /** The incarnation under which the leader lists an id as voter. */
  listed(id: NodeId): string | null {
    const { voters, outgoing } = this.leaderStatus().configuration;
    if (outgoing.length > 0) return null;
    return voters.find((voter) => voter.id === id)?.incarnation ?? null;
  }

  answersTo(machine: NodeId): JoinOutcome[] {
    return this.answers.filter((one) => one.machine === machine).map(({ answer }) => answer);
  }

  /** Clients go on being served from now on. */
  async served(): Promise<void> {
    const before = this.checked.clients.history.counts().acknowledged;
    await this.until(
      'clients are served',
      () => this.checked.clients.history.counts().acknowledged > before + 20,
    );
  }

  /** The clients stop, all members agree, and no checker has found anything. */
  async end(): Promise<void> {
    await this.served();
    let drained = false;
    void this.checked.clients.stop().then(() => {
      drained = true;
    });
    await this.until('the last operation to end', () => drained);
    await this.until('agreement', () => this.checked.allAgree());
    this.checked.finish();
    this.#requireSound();
    expect(this.clusterIds.size).toBe(1);
  }

  #requireSound(): void {
    const { violation, traceAtViolation } = this.checked;
    expect(violation, traceAtViolation.join('\n')).toBe(null);
  }

  #observe(world: WorldObservation): void {
    if (world.kind !== 'replica') return;
    const { observation, replica } = world;
    if (observation.kind === 'received' && observation.envelope.message.kind === 'JoinAnswer') {
      const { boot, answer } = observation.envelope.message;
      this.answers.push({ machine: replica, boot, answer });
    } else if (observation.kind === 'raft-event' && observation.event.kind === 'newcomer') {
      this.newcomers.push({ ...observation.event, by: replica });
    } else if (observation.kind === 'write') {
      for (const entry of observation.write.entries) {
        if (entry.kind === 'configuration') this.clusterIds.add(entry.clusterId);
      }
    }
  }
}

export const seeds = [1, 2, 3];
