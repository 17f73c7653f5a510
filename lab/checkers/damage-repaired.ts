import type { NodeId } from '../../src/raft/identity.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';
import { ReplicaBooks } from './replica-book.ts';

/**
 * At least once a replica found its log damaged, and whoever did holds at the end as much as it had promised, by our
 * own books and by its own word. It does not check what it holds: others do.
 */
export class DamageRepaired implements Checker {
  readonly name = 'damage-repaired';
  readonly property = 'Logs are found damaged, and are whole again at the end (docs/decisions/0010).';
  readonly #books = new ReplicaBooks();
  readonly #damaged = new Set<NodeId>();
  /** Who says itself that entries are missing, as of its last step. */
  readonly #lacking = new Set<NodeId>();

  observe(seen: WorldObservation): Violation | null {
    this.#books.observe(seen);
    const { replica } = seen;
    if (seen.kind === 'wiped') {
      this.#damaged.delete(replica);
      this.#lacking.delete(replica);
    }
    if (seen.kind !== 'replica') return null;
    const { observation } = seen;
    if (observation.kind === 'opened' && observation.recovered.damage !== null) this.#damaged.add(replica);
    if (observation.kind !== 'step') return null;
    if (observation.state.hardState.missing === undefined) this.#lacking.delete(replica);
    else this.#lacking.add(replica);
    return null;
  }

  finish(atMs: number): Violation | null {
    const sentence = this.#damaged.size === 0 ? 'no log was ever found damaged' : this.#unrepaired();
    return sentence === null ? null : { checker: this.name, sentence, atMs };
  }

  #unrepaired(): string | null {
    for (const replica of this.#damaged) {
      const lost = this.#books.of(replica)?.lost;
      if (lost) {
        return `${replica} lost what it held up to entry ${lost.lastIndex} of term ${lost.lastTerm}, and never got it back`;
      }
      if (this.#lacking.has(replica)) {
        return `${replica} holds again as much as it had, and still says that entries are missing`;
      }
    }
    return null;
  }
}
