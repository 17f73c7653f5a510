import type { NodeId } from '../../src/raft/identity.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';
import { ReplicaBooks } from './replica-book.ts';

export interface LogBounds {
  /** Between the floor and the end of each log, after each step; null: not judged. */
  readonly entriesMax: number | null;
  /** On each disk, whenever somebody looks; null: not judged. */
  readonly bytesMax: number | null;
  readonly diskBytes: (machine: NodeId) => number;
}

/**
 * Compaction keeps up: no log grows without end, and what it gives up really leaves the disk. Logs are
 * judged by what their replicas were seen to write, after every step; disks each time that one of them
 * says its log begins later now, when it holds the most, and at the end.
 *
 * Does not check: that what was given up is in a snapshot (persisted-survives and state-machine-safety see
 * what comes of it).
 */
export class LogBounded implements Checker {
  readonly name = 'log-bounded';
  readonly property =
    'With snapshots, logs and disks stay within their bounds however long the run (dissertation, 5).';
  readonly #bounds: LogBounds;
  readonly #books = new ReplicaBooks();
  readonly #machines = new Set<NodeId>();

  constructor(bounds: LogBounds) {
    this.#bounds = bounds;
  }

  observe(world: WorldObservation): Violation | null {
    this.#books.observe(world);
    if (world.kind !== 'replica') return null;
    const { replica, atMs, observation } = world;
    this.#machines.add(replica);
    let sentence: string | null = null;
    if (observation.kind === 'step') sentence = this.#checkLog(replica);
    else if (observation.kind === 'raft-event' && observation.event.kind === 'log-compacted') {
      sentence = this.#checkDisk(replica);
    }
    return sentence === null ? null : { checker: this.name, sentence, atMs };
  }

  finish(atMs: number): Violation | null {
    for (const machine of this.#machines) {
      const sentence = this.#checkDisk(machine);
      if (sentence !== null) return { checker: this.name, sentence, atMs };
    }
    return null;
  }

  #checkLog(replica: NodeId): string | null {
    const { entriesMax } = this.#bounds;
    const log = this.#books.of(replica)?.issued;
    if (entriesMax === null || !log || log.lastIndex - log.floorIndex <= entriesMax) return null;
    const entries = log.lastIndex - log.floorIndex;
    return `the log of ${replica} has ${entries} entries, from ${log.floorIndex + 1} to ${log.lastIndex}; at most ${entriesMax} were allowed`;
  }

  #checkDisk(replica: NodeId): string | null {
    const { bytesMax, diskBytes } = this.#bounds;
    if (bytesMax === null) return null;
    const bytes = diskBytes(replica);
    return bytes <= bytesMax
      ? null
      : `the disk of ${replica} holds ${bytes} bytes; at most ${bytesMax} were allowed`;
  }
}
