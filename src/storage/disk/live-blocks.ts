import type { Index } from '../../raft/entry.ts';
import type { BlockLocation, ScannedBlock } from './backends/backend.ts';
import type { BlockHeader } from './block-header.ts';

/** A block with entries that are still part of the log. */
export interface LiveBlock {
  readonly header: BlockHeader;
  readonly location: BlockLocation;
  /** Which of its entries are: from its first to this one. */
  readonly lastIndex: Index;
}

/** Which block holds which entry: blocks in the order of their indexes, without gaps between. */
export class LiveBlocks {
  #blocks: LiveBlock[] = [];

  /** What blocks of these numbers, as a scan found them, leave of the log. */
  static replay(found: readonly ScannedBlock[], live: readonly number[]): LiveBlocks {
    const numbers = new Set(live);
    const blocks = new LiveBlocks();
    found
      .filter((block) => block.intact)
      .filter(({ header }) => numbers.has(header.number))
      .sort((a, b) => a.header.number - b.header.number)
      .forEach(({ header, location }) => {
        blocks.add(header, location);
      });
    return blocks;
  }

  /** A block cuts at its first index, then brings its entries. */
  add(header: BlockHeader, location: BlockLocation): void {
    let last = this.#blocks.at(-1);
    while (last !== undefined && last.header.firstIndex >= header.firstIndex) {
      this.#blocks.pop();
      last = this.#blocks.at(-1);
    }
    if (last !== undefined && last.lastIndex >= header.firstIndex) {
      this.#blocks[this.#blocks.length - 1] = { ...last, lastIndex: header.firstIndex - 1 };
    }
    if (header.entryCount > 0) {
      this.#blocks.push({ header, location, lastIndex: header.firstIndex + header.entryCount - 1 });
    }
  }

  /** The block that holds an entry; null when none does. */
  find(index: Index): LiveBlock | null {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const block = this.#blocks[middle];
      if (block === undefined) break;
      if (index < block.header.firstIndex) high = middle - 1;
      else if (index > block.lastIndex) low = middle + 1;
      else return block;
    }
    return null;
  }

  all(): readonly LiveBlock[] {
    return this.#blocks;
  }

  /** Forgets blocks whose entries all lie at or below the floor. @returns the lowest number still needed. */
  dropThrough(floorIndex: Index, nextNumber: number): number {
    this.#blocks = this.#blocks.filter(({ lastIndex }) => lastIndex > floorIndex);
    return this.#blocks[0]?.header.number ?? nextNumber;
  }

  clear(): void {
    this.#blocks = [];
  }
}
