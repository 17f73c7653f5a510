import { entryBytes } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';

interface Strike {
  readonly on: readonly NodeId[];
  /** Some replica of them stepped aside since. */
  noticed: boolean;
}

/**
 * Where a fault fills disks, replicas notice it before a write fails: they say so, take next to nothing from then on, and
 * take part again when there is room. Not every one has to: where too many have no room nothing more is proposed, and
 * whoever then writes nothing asks nothing. It does not check that a leader hands over: `unavailable-at-most` tells.
 */
export class StepsAside implements Checker {
  readonly name = 'steps-aside';
  readonly property = 'Replicas whose disks run full step aside before a write fails, and come back.';
  readonly #strikes: Strike[] = [];
  /** Those aside, with the bytes of entries that each has written since. */
  readonly #aside = new Map<NodeId, number>();
  readonly #asideBytesMax: number;

  /** @param reserveBytes - what is kept in reserve on each disk. */
  constructor(reserveBytes: number) {
    this.#asideBytesMax = reserveBytes / 4;
  }

  /** Their disks have little room from now on. */
  onStrike(on: readonly NodeId[]): void {
    this.#strikes.push({ on, noticed: false });
  }

  observe(seen: WorldObservation): Violation | null {
    const { replica, atMs } = seen;
    if (seen.kind !== 'replica' || !this.#strikes.some(({ on }) => on.includes(replica))) return null;
    const { observation } = seen;
    if (observation.kind === 'write-failed') {
      const sentence = `a write of ${replica} failed, though its disk had room for what it still had to write`;
      return { checker: this.name, sentence, atMs };
    }
    const written = this.#aside.get(replica);
    if (observation.kind === 'write' && written !== undefined) {
      const bytes = observation.write.entries.reduce((sum, entry) => sum + entryBytes(entry), written);
      this.#aside.set(replica, bytes);
      if (bytes <= this.#asideBytesMax) return null;
      const sentence = `${replica} wrote ${bytes} bytes of entries since it said that its disk is nearly full`;
      return { checker: this.name, sentence, atMs };
    }
    if (observation.kind === 'step') this.#onStep(replica, observation.state.stall.diskNearlyFull);
    return null;
  }

  finish(atMs: number): Violation | null {
    const [aside] = this.#aside.keys();
    const unnoticed = this.#strikes.find(({ noticed }) => !noticed);
    if (aside === undefined && unnoticed === undefined) return null;
    const sentence =
      aside === undefined
        ? `the disk of ${unnoticed?.on.join(', ')} was filled, and nobody stepped aside`
        : `${aside} stepped aside, and never came back`;
    return { checker: this.name, sentence, atMs };
  }

  #onStep(replica: NodeId, nearlyFull: boolean): void {
    if (!nearlyFull) this.#aside.delete(replica);
    else if (!this.#aside.has(replica)) {
      this.#aside.set(replica, 0);
      const strike = this.#strikes.findLast(({ on }) => on.includes(replica));
      if (strike !== undefined) strike.noticed = true;
    }
  }
}
