import type { Index } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { describeOperation } from '../workload/describe-operation.ts';
import type { History } from '../workload/history.ts';
import { isKvCommand } from '../workload/kv.ts';
import { type Applied as AppliedEntry, appliedCommand } from './applied-command.ts';
import { type Checker, endsProcess, type Violation, type WorldObservation } from './checker.ts';

/**
 * The durability oracle: at the end, the running replicas have applied the entry of every write and
 * compare-and-set that a client was told of, and no command was applied at two indexes. Commands are
 * recognised by their values, of which the workload uses each once. What a state machine was restored from
 * stands for every entry up to there.
 *
 * Does not check: replicas that merely lag (the runner waits for agreement), replicas that are down at
 * the end, reads, and the content of snapshots (replica-equality does, by a digest of what was restored).
 */
export class AcknowledgedWrites implements Checker {
  readonly name = 'acknowledged-writes';
  readonly property = 'No acknowledged write is lost, and none is applied twice.';
  readonly #history: History;
  readonly #decode: (payload: Uint8Array) => unknown;
  /** Per running state machine. */
  readonly #applied = new Map<NodeId, Applied>();
  readonly #indexOf = new Map<number, Index>();

  /** @param decode - the codec by which the replicas encode commands. */
  constructor(history: History, decode: (payload: Uint8Array) => unknown) {
    this.#history = history;
    this.#decode = decode;
  }

  observe(world: WorldObservation): Violation | null {
    const { replica, atMs } = world;
    if (world.kind !== 'replica') {
      if (endsProcess(world)) this.#applied.delete(replica);
      return null;
    }
    const { observation } = world;
    switch (observation.kind) {
      case 'opened':
        if (!this.#applied.has(replica)) this.#restore(replica, observation.appliedIndex);
        return null;
      case 'restored':
        this.#restore(replica, observation.meta.index);
        return null;
      case 'stopped':
        this.#applied.delete(replica);
        return null;
      case 'applied': {
        const sentence = this.#apply(replica, observation);
        return sentence === null ? null : { checker: this.name, sentence, atMs };
      }
      default:
        return null;
    }
  }

  finish(atMs: number): Violation | null {
    if (this.#applied.size === 0) return null;
    for (const operation of this.#history.operations) {
      const { call, outcome } = operation;
      if (call.kind === 'read' || outcome?.kind !== 'ok') continue;
      const lost = this.#whereLost(call.value);
      if (lost !== null) {
        const sentence = `${describeOperation(operation)} was acknowledged at ${outcome.atMs} ms and is lost: ${lost}`;
        return { checker: this.name, sentence, atMs };
      }
    }
    return null;
  }

  #restore(replica: NodeId, index: Index): void {
    this.#applied.set(replica, { restoredIndex: index, lastIndex: index, values: new Map() });
  }

  #apply(replica: NodeId, observation: AppliedEntry): string | null {
    const { entry } = observation;
    const applied = this.#applied.get(replica);
    if (applied) applied.lastIndex = entry.index;
    const payload = appliedCommand(observation);
    if (payload === null) return null;
    const command = this.#decode(payload);
    if (!isKvCommand(command)) {
      return `${replica} applied entry ${entry.index}, which is no command of the workload`;
    }
    applied?.values.set(entry.index, command.value);
    const known = this.#indexOf.get(command.value);
    if (known === undefined) this.#indexOf.set(command.value, entry.index);
    else if (known !== entry.index) {
      return `the command that sets ${command.key} to ${command.value} was applied twice: as entry ${known} and, on ${replica}, as entry ${entry.index}`;
    }
    return null;
  }

  /** null when it is where it should be. */
  #whereLost(value: number): string | null {
    const index = this.#indexOf.get(value);
    if (index === undefined) return 'no replica ever applied it';
    let reached = false;
    for (const [replica, applied] of this.#applied) {
      if (applied.lastIndex < index) continue;
      reached = true;
      if (index <= applied.restoredIndex) continue;
      if (applied.values.get(index) !== value) return `${replica} applied something else as entry ${index}`;
    }
    return reached ? null : `no running replica has applied entry ${index} any more`;
  }
}

interface Applied {
  /** Everything up to here came in a snapshot; 0 when none was restored. */
  readonly restoredIndex: Index;
  lastIndex: Index;
  /** By the index, for what was applied one by one. */
  readonly values: Map<Index, number>;
}
