import type { Observation } from '../../src/node/observation.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import type { RottenFiles } from '../scenario/scenario.ts';

/**
 * One thing that happened in the world, in the one order the world has. `replica` names the machine it
 * happened on: the id of the replica there, but for a double, which runs under the id of another machine's.
 */
export type WorldObservation =
  | {
      readonly atMs: number;
      readonly replica: NodeId;
      readonly kind: 'replica';
      readonly observation: Observation;
    }
  /** The process died; everything in its memory is gone. `power`: unsynced bytes too. */
  | { readonly atMs: number; readonly replica: NodeId; readonly kind: 'crashed'; readonly power: boolean }
  /** Durable places of these files changed on the disk. Whatever was there may be found missing from now on. */
  | {
      readonly atMs: number;
      readonly replica: NodeId;
      readonly kind: 'rotted';
      readonly what: RottenFiles;
      readonly places: number;
    }
  /** After a crash: the disk was emptied. Whoever opens a storage there next is another server. */
  | { readonly atMs: number; readonly replica: NodeId; readonly kind: 'wiped' }
  /** After a crash: the disk holds again what it held at an earlier moment. What came later never was. */
  | { readonly atMs: number; readonly replica: NodeId; readonly kind: 'rolled-back' };

/** Whether the process there is dead after this, and everything in its memory gone; a disk may change under a live one. */
export function endsProcess({ kind }: WorldObservation): boolean {
  return kind === 'crashed' || kind === 'wiped' || kind === 'rolled-back';
}

/** What a checker found, in one sentence with names and numbers. */
export interface Violation {
  readonly checker: string;
  readonly sentence: string;
  readonly atMs: number;
  /** Nothing is known to be wrong, nor to be right: the question was too hard. */
  readonly undecided?: true;
}

/**
 * Looks at every step of a cluster, incrementally: the cost of one observation does not grow with the
 * length of the run. A checker that found something is not asked again.
 */
export interface Checker {
  /** Kebab-case, for example `election-safety`. */
  readonly name: string;
  /** The property in one sentence, with its source. */
  readonly property: string;
  observe(observation: WorldObservation): Violation | null;
  /** After the run, all faults healed and the cluster quiet. */
  finish(atMs: number): Violation | null;
}
