import type { Index } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';

/** What a running state machine says of itself; `digest` is chained over all it ever did. */
export interface StateDigest {
  readonly appliedIndex: Index;
  readonly digest: number;
}

/**
 * After each command, and when it was restored from a snapshot, the state machine's digest is held against
 * the first one seen at that index. The digest is chained, so a difference, once there, is there at every
 * later index too.
 *
 * Does not check: state that the digest leaves out, and effects a state machine has outside itself.
 */
export class ReplicaEquality implements Checker {
  readonly name = 'replica-equality';
  readonly property = 'Replicas that applied the same index have the same state (paper 2, 5.3).';
  readonly #digestOf: (replica: NodeId) => StateDigest | null;
  readonly #digests = new Map<Index, { readonly digest: number; readonly firstBy: NodeId }>();

  /** @param digestOf - of the replica's present state machine; null when it runs none. */
  constructor(digestOf: (replica: NodeId) => StateDigest | null) {
    this.#digestOf = digestOf;
  }

  observe(world: WorldObservation): Violation | null {
    if (world.kind !== 'replica') return null;
    const { replica, atMs, observation } = world;
    if (observation.kind === 'applied') {
      if (observation.entry.kind !== 'command') return null;
    } else if (observation.kind !== 'restored') return null;
    const state = this.#digestOf(replica);
    if (!state) return null;
    const { appliedIndex, digest } = state;
    const known = this.#digests.get(appliedIndex);
    if (!known) {
      this.#digests.set(appliedIndex, { digest, firstBy: replica });
      return null;
    }
    if (known.digest === digest) return null;
    const sentence = `${replica} and ${known.firstBy} have different states after entry ${appliedIndex} (digests ${digest} and ${known.digest})`;
    return { checker: this.name, sentence, atMs };
  }

  finish(): Violation | null {
    return null;
  }
}
