import type { GroupId } from '../../raft/identity.ts';
import type { Scan, ScannedBlock } from './backends/backend.ts';
import type { StrayBytes } from './stray-bytes.ts';

/**
 * What the scan of one shard found, by group. A group's blocks are forgotten once its log is open: from then
 * on it keeps account of its own, and most of these will be compacted away.
 */
export class FoundBlocks {
  readonly stray: StrayBytes;
  readonly #byGroup = new Map<GroupId, ScannedBlock[]>();

  constructor({ blocks, stray }: Scan) {
    this.stray = stray;
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

  forget(group: GroupId): void {
    this.#byGroup.delete(group);
  }
}
