import type { NodeId } from '../../src/raft/identity.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';

/**
 * Whoever's disk failed is told by its storage, opens it anew as a later boot, and applies entries
 * again. It does not check what the reopened storage holds: others do.
 */
export class StorageReopened implements Checker {
  readonly name = 'storage-reopened';
  readonly property = 'A replica whose write or sync failed opens its storage anew and rejoins.';
  readonly #struck = new Map<NodeId, 'struck' | 'failed' | 'reopened' | 'rejoined'>();

  /** A disk fault was laid in wait. */
  onStrike(on: readonly NodeId[]): void {
    for (const id of on) this.#struck.set(id, 'struck');
  }

  observe(seen: WorldObservation): Violation | null {
    const stage = this.#struck.get(seen.replica);
    if (stage === undefined || seen.kind !== 'replica') return null;
    const { kind } = seen.observation;
    if (stage === 'struck' && kind === 'write-failed') this.#struck.set(seen.replica, 'failed');
    else if (stage === 'failed' && kind === 'opened') this.#struck.set(seen.replica, 'reopened');
    else if (stage === 'reopened' && kind === 'applied') this.#struck.set(seen.replica, 'rejoined');
    return null;
  }

  finish(atMs: number): Violation | null {
    for (const [replica, stage] of this.#struck) {
      if (stage === 'rejoined') continue;
      const missing = {
        struck: 'no write of it failed after that',
        failed: 'it never opened its storage again',
        reopened: 'it never applied an entry after it opened its storage again',
      }[stage];
      return {
        checker: this.name,
        sentence: `the disk of ${replica} was made to fail, but ${missing}`,
        atMs,
      };
    }
    return null;
  }
}
