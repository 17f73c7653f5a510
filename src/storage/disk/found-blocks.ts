import type { GroupId } from '../../raft/identity.ts';
import type { Scan, ScannedBlock } from './backends/backend.ts';
import type { StoredBlock } from './stored-block.ts';
import type { StrayBytes } from './stray-bytes.ts';

/**
 * What the scan of one shard found, by group. A group's blocks are forgotten once its log is open: from then
 * on it keeps account of its own, and most of these will be compacted away.
 */
export class FoundBlocks {
  readonly stray: StrayBytes;
  readonly unreadable: string | null;
  readonly #byGroup = new Map<GroupId, ScannedBlock[]>();

  constructor({ blocks, stray, unreadable }: Scan) {
    this.stray = stray;
    this.unreadable = unreadable;
    for (const block of blocks) {
      const group = block.intact ? block.header.group : block.group;
      const others = this.#byGroup.get(group);
      if (others === undefined) this.#byGroup.set(group, [block]);
      else others.push(block);
    }
  }

  get groups(): GroupId[] {
    return [...this.#byGroup.keys()];
  }

  get isEmpty(): boolean {
    return this.#byGroup.size === 0 && this.stray.all === 'none';
  }

  of(group: GroupId): readonly ScannedBlock[] {
    return this.#byGroup.get(group) ?? [];
  }

  /** The whole ones of a group, in the order of their numbers. */
  wholeOf(group: GroupId): StoredBlock[] {
    return this.of(group)
      .filter((block) => block.intact)
      .sort((a, b) => a.header.number - b.header.number);
  }

  /** Those that make up the log, in order, by the numbers that a verdict gives. */
  liveOf(group: GroupId, numbers: readonly number[]): StoredBlock[] {
    const live = new Set(numbers);
    return this.wholeOf(group).filter(({ header }) => live.has(header.number));
  }

  forget(group: GroupId): void {
    this.#byGroup.delete(group);
  }
}
