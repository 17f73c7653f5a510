import type { Term } from '../../src/raft/entry.ts';
import type { NodeId, ReplicaId } from '../../src/raft/identity.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';

/**
 * One leader in one term. A restarted replica that leads the same term again counts as a second leader:
 * it was elected a second time.
 *
 * Does not check: whether the votes behind an election were rightly given (monotone, durable-before-send).
 */
export class ElectionSafety implements Checker {
  readonly name = 'election-safety';
  readonly property = 'At most one leader is elected in a term (paper 5.2).';
  readonly #leaders = new Map<Term, { readonly leader: ReplicaId; readonly sinceMs: number }>();
  readonly #running = new Map<NodeId, ReplicaId>();

  observe(world: WorldObservation): Violation | null {
    if (world.kind !== 'replica') return null;
    const { observation, replica, atMs } = world;
    switch (observation.kind) {
      case 'opened':
        this.#running.set(replica, observation.identity);
        return null;
      case 'step': {
        const { role, hardState, self } = observation.state;
        return role === 'leader' ? this.#lead(self, hardState.term, atMs) : null;
      }
      case 'raft-event': {
        const { event } = observation;
        if (event.kind !== 'role-changed' || event.role !== 'leader') return null;
        const running = this.#running.get(replica);
        return running ? this.#lead(running, event.term, atMs) : null;
      }
      default:
        return null;
    }
  }

  finish(): Violation | null {
    return null;
  }

  #lead(leader: ReplicaId, term: Term, atMs: number): Violation | null {
    const known = this.#leaders.get(term);
    if (!known) {
      const { id, incarnation, boot } = leader;
      this.#leaders.set(term, { leader: { id, incarnation, boot }, sinceMs: atMs });
      return null;
    }
    const { leader: first, sinceMs } = known;
    if (first.id === leader.id && first.incarnation === leader.incarnation && first.boot === leader.boot) {
      return null;
    }
    const since = `${named(first)} has led since ${sinceMs} ms`;
    const sentence = `two leaders in term ${term}: ${named(leader)} leads, and ${since}`;
    return { checker: this.name, sentence, atMs };
  }
}

function named({ id, incarnation, boot }: ReplicaId): string {
  return `${id} (incarnation ${incarnation}, boot ${boot})`;
}
