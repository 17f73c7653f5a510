import type { Checker, Violation, WorldObservation } from './checker.ts';

/**
 * At least once a leader found a part of its snapshot where an earlier leader's transfer had stopped, and went on
 * from there. It does not check what the snapshot holds: others do.
 */
export class SnapshotResumed implements Checker {
  readonly name = 'snapshot-resumed';
  readonly property =
    'A transfer of a snapshot that lost its leader goes on where it stopped (dissertation 5).';
  #begun = 0;
  #resumed = false;

  observe(seen: WorldObservation): Violation | null {
    if (seen.kind !== 'replica' || seen.observation.kind !== 'raft-event') return null;
    const { event } = seen.observation;
    if (event.kind !== 'snapshot-transfer') return null;
    if (event.phase === 'begun') this.#begun += 1;
    if (event.phase === 'resumed') this.#resumed = true;
    return null;
  }

  finish(atMs: number): Violation | null {
    if (this.#resumed) return null;
    const sentence = `no transfer of a snapshot was ever resumed; ${this.#begun} were begun at their beginning`;
    return { checker: this.name, sentence, atMs };
  }
}
