import type { GroupId } from '../../raft/identity.ts';
import type { Stray } from './recover.ts';

/**
 * Bytes of a shard that belong to no block that can be named. They may have been a block of any group, but what
 * stands before a whole block of a group tells that group nothing: whichever of its blocks was there is
 * missing in the row of its numbers.
 */
export class StrayBytes {
  readonly #afterWhole = new Map<GroupId, Stray>();
  #all: Stray = 'none';

  get all(): Stray {
    return this.#all;
  }

  /** What lies after the last whole block of the group. */
  after(group: GroupId): Stray {
    return this.#afterWhole.get(group) ?? this.#all;
  }

  /** The next bytes of the shard are a whole block of this group. */
  passWhole(group: GroupId): void {
    this.#afterWhole.set(group, 'none');
  }

  /** The next bytes of the shard are stray. */
  pass(stray: Stray): void {
    this.#all = worse(this.#all, stray);
    for (const [group, known] of this.#afterWhole) this.#afterWhole.set(group, worse(known, stray));
  }
}

function worse(a: Stray, b: Stray): Stray {
  const found = [a, b];
  if (found.includes('damaged')) return 'damaged';
  return found.includes('torn') ? 'torn' : 'none';
}
