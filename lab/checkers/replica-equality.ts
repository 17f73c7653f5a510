import type { Index } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { appliedCommand } from './applied-command.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';

/** What a running state machine says of itself. */
export interface StateDigest {
  /** Of the last command that its state has. */
  readonly appliedIndex: Index;
  /** Chained over all that was ever done to it. */
  readonly digest: number;
  /** Of what it holds, made from that alone. */
  readonly content: number;
}

/**
 * After each command, and when it was restored from a snapshot, the state machine's digests are held against
 * the first ones seen at that index. The one is chained, so a difference, once there, is there at every later
 * index too; but it travels in the snapshot. The other tells what really came with it. A restored state has
 * the last command that anybody applied up to the snapshot's index.
 *
 * Does not check: state that the digests leave out, and effects a state machine has outside itself.
 */
export class ReplicaEquality implements Checker {
  readonly name = 'replica-equality';
  readonly property = 'Replicas that applied the same index have the same state (paper 2, 5.3).';
  readonly #digestOf: (replica: NodeId) => StateDigest | null;
  readonly #digests = new Map<Index, StateDigest & { readonly firstBy: NodeId }>();

  /** @param digestOf - of the replica's present state machine; null when it runs none. */
  constructor(digestOf: (replica: NodeId) => StateDigest | null) {
    this.#digestOf = digestOf;
  }

  observe(world: WorldObservation): Violation | null {
    if (world.kind !== 'replica') return null;
    const { replica, atMs, observation } = world;
    let restoredIndex: Index | null = null;
    if (observation.kind === 'restored') restoredIndex = observation.meta.index;
    else if (observation.kind !== 'applied' || appliedCommand(observation) === null) return null;
    const state = this.#digestOf(replica);
    if (!state) return null;
    const sentence =
      (restoredIndex === null ? null : this.#missed(replica, state, restoredIndex)) ??
      this.#compare(replica, state);
    return sentence === null ? null : { checker: this.name, sentence, atMs };
  }

  finish(): Violation | null {
    return null;
  }

  /** A state as of another moment may well be one that somebody had there. */
  #missed(replica: NodeId, { appliedIndex }: StateDigest, restoredIndex: Index): string | null {
    const restored = `${replica} was restored from a snapshot at entry ${restoredIndex}`;
    if (appliedIndex > restoredIndex) return `${restored} and has the state after entry ${appliedIndex}`;
    for (let index = restoredIndex; index > appliedIndex; index -= 1) {
      const known = this.#digests.get(index);
      if (known) return `${restored} and has not what ${known.firstBy} applied as entry ${index}`;
    }
    return null;
  }

  #compare(replica: NodeId, { appliedIndex, digest, content }: StateDigest): string | null {
    const known = this.#digests.get(appliedIndex);
    if (!known) {
      this.#digests.set(appliedIndex, { appliedIndex, digest, content, firstBy: replica });
      return null;
    }
    const differ = `${replica} and ${known.firstBy} have different states after entry ${appliedIndex}`;
    if (known.digest !== digest) return `${differ} (digests ${digest} and ${known.digest})`;
    if (known.content !== content) return `${differ} (contents ${content} and ${known.content})`;
    return null;
  }
}
