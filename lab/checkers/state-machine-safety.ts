import type { Entry, Index, Term } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { type Checker, endsProcess, type Violation, type WorldObservation } from './checker.ts';
import { entryDigest } from './entry-digest.ts';

interface AppliedEntry {
  readonly term: Term;
  readonly digest: number;
  readonly firstBy: NodeId;
  readonly atMs: number;
}

/**
 * What was applied at an index is the same everywhere and for ever, also after a restart; and each state
 * machine gets its entries one after another, without a gap and none twice. A state machine lives until
 * its process dies or its node stops; a reopened storage keeps it. Only a snapshot takes it forward at one
 * leap, and never back.
 *
 * Does not check: what the state machine made of the entries, and of snapshots (replica-equality).
 */
export class StateMachineSafety implements Checker {
  readonly name = 'state-machine-safety';
  readonly property =
    'No two replicas apply different entries at one index, and each applies them in order (paper 5.4.3).';
  readonly #applied: AppliedEntry[] = [];
  /** The last index each running state machine applied; absent before it began. */
  readonly #last = new Map<NodeId, Index>();

  observe(world: WorldObservation): Violation | null {
    const { replica, atMs } = world;
    if (world.kind !== 'replica') {
      if (endsProcess(world)) this.#last.delete(replica);
      return null;
    }
    const { observation } = world;
    switch (observation.kind) {
      case 'opened':
        if (!this.#last.has(replica)) this.#last.set(replica, observation.appliedIndex);
        return null;
      case 'stopped':
        this.#last.delete(replica);
        return null;
      case 'restored': {
        const sentence = this.#restore(replica, observation.meta.index);
        return sentence === null ? null : { checker: this.name, sentence, atMs };
      }
      case 'applied': {
        const sentence = this.#apply(replica, observation.entry, atMs);
        return sentence === null ? null : { checker: this.name, sentence, atMs };
      }
      default:
        return null;
    }
  }

  finish(): Violation | null {
    return null;
  }

  #restore(replica: NodeId, index: Index): string | null {
    const last = this.#last.get(replica) ?? 0;
    this.#last.set(replica, index);
    if (index >= last) return null;
    return `${replica} was restored from a snapshot at entry ${index}, though its state machine had entry ${last}`;
  }

  #apply(replica: NodeId, entry: Entry, atMs: number): string | null {
    const { index, term } = entry;
    const last = this.#last.get(replica);
    // An apply that was under way when its node stopped may still end; no order is kept then.
    if (last !== undefined) {
      this.#last.set(replica, index);
      if (index !== last + 1) {
        const how = index <= last ? 'again' : 'too early';
        return `${replica} applied entry ${index} ${how}: the last one its state machine had was ${last}`;
      }
    }
    const digest = entryDigest(entry);
    const known = this.#applied[index];
    if (!known) {
      this.#applied[index] = { term, digest, firstBy: replica, atMs };
      return null;
    }
    if (known.term === term && known.digest === digest) return null;
    const difference =
      known.term === term ? `another entry of the same term ${term}` : `the one of term ${known.term}`;
    return `${replica} applied entry ${index} of term ${term}, but ${known.firstBy} applied ${difference} at ${known.atMs} ms`;
  }
}
