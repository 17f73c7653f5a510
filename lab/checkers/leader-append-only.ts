import type { WriteEffect } from '../../src/raft/effect.ts';
import type { Index, Term } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { type Checker, endsProcess, type Violation, type WorldObservation } from './checker.ts';
import { ReplicaBooks } from './replica-book.ts';

/**
 * A leader only appends. A cut counts once the replica is seen to lead the same term after it as before:
 * a leader that steps down and then cuts does both in one drain, and rightly.
 *
 * Does not check: entries changed in place in memory or on the disk without a write (log-matching and
 * state-machine-safety see their consequences).
 */
export class LeaderAppendOnly implements Checker {
  readonly name = 'leader-append-only';
  readonly property = 'A leader never overwrites or deletes entries in its log (paper 5.3).';
  readonly #books = new ReplicaBooks();
  readonly #leading = new Map<NodeId, { readonly term: Term; cutFrom: Index | null }>();

  observe(world: WorldObservation): Violation | null {
    const { replica, atMs } = world;
    if (world.kind !== 'replica') {
      if (endsProcess(world)) this.#leading.delete(replica);
      return null;
    }
    const { observation } = world;
    if (observation.kind === 'opened') this.#leading.delete(replica);
    if (observation.kind === 'write') this.#noteCut(replica, observation.write);
    this.#books.observe(world);
    if (observation.kind !== 'step') return null;

    const { role, hardState } = observation.state;
    const leading = this.#leading.get(replica);
    if (role !== 'leader') {
      if (leading) this.#leading.delete(replica);
      return null;
    }
    if (!leading || leading.term !== hardState.term) {
      this.#leading.set(replica, { term: hardState.term, cutFrom: null });
      return null;
    }
    if (leading.cutFrom === null) return null;
    const sentence = `${replica} cut its log from entry ${leading.cutFrom} on while it led term ${leading.term}`;
    return { checker: this.name, sentence, atMs };
  }

  finish(): Violation | null {
    return null;
  }

  #noteCut(replica: NodeId, { cutFrom, floor }: WriteEffect): void {
    const leading = this.#leading.get(replica);
    const log = this.#books.of(replica)?.issued;
    if (!leading || !log) return;
    if (cutFrom !== undefined && cutFrom <= log.lastIndex) leading.cutFrom ??= cutFrom;
    // A log that begins later holds the same; one that is replaced by a snapshot does not.
    if (floor && floor.index > log.floorIndex && log.termAt(floor.index) !== floor.term) {
      leading.cutFrom ??= log.floorIndex + 1;
    }
  }
}
