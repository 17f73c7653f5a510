import type { Disk } from '../../../doors/disk.ts';
import { readWholeFile } from '../record.ts';
import { decodeIndex, encodeIndex, type IndexedBlock } from './segment-index.ts';

/** Names of segments and of what stands beside them: a number, and what it is. */
export const SEGMENT_NAME = /^\d{12}\.blocks$/;
const INDEX_NAME = /^\d{12}\.(?:index|doubted)$/;

export interface FoundIndex {
  readonly blocks: readonly IndexedBlock[];
  /** A block was found damaged since, or the segment is shorter now: it tells which there were, and vouches for none. */
  readonly isDoubted: boolean;
}

/**
 * Beside each segment that is followed by another, the headers of its blocks, so that opening a log need not read all
 * of it. A copy of what the segment says: nothing waits for it and it is never synced, for one that is missing,
 * torn or of another size is made anew from the segment.
 *
 * A segment is indexed once a later one has begun, when all of it is durable; it never changes after that, and its
 * number is not used again. So a whole index is right about what was written, unless the segment is longer. Of what has
 * become of the bytes since it knows nothing: who reads a block checks it, and doubts the index where it is damaged.
 */
export class SegmentIndexes {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #seed: number;
  /** Of work on the files; in the order of the calls. */
  #work: Promise<void> = Promise.resolve();

  constructor(disk: Disk, directory: string, seed: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#seed = seed;
  }

  /** Of a segment of this size, 0 where that is not known; null when there is none that is whole. */
  async find(segment: string, segmentSize: number): Promise<FoundIndex | null> {
    for (const isDoubted of [true, false]) {
      const bytes = await readWholeFile(this.#disk, this.#path(segment, isDoubted)).catch(() => null);
      const found = bytes === null ? null : decodeIndex(bytes, segmentSize, this.#seed);
      if (found !== null) return { blocks: found.blocks, isDoubted: isDoubted || found.isCutShort };
    }
    return null;
  }

  /** Makes one, behind whatever is under way. */
  keep(segment: string, headers: Buffer, segmentSize: number): void {
    this.#behind(async () => {
      const file = await this.#disk.open(this.#path(segment, false), { create: true });
      try {
        await file.truncate(0);
        await file.append(encodeIndex(headers, segmentSize, this.#seed));
      } finally {
        await file.close();
      }
    });
  }

  /** A block of the segment is not what was written: the next opening reads all of it. */
  doubt(segment: string): Promise<void> {
    return this.#behind(() => this.#rename(segment, { toDoubted: true }));
  }

  /** All of the segment was read again, and is whole. */
  trustAgain(segment: string): void {
    this.#behind(() => this.#rename(segment, { toDoubted: false }));
  }

  /** Those of segments that are gone. */
  removeOrphans(): void {
    this.#behind(async () => {
      const names = await this.#disk.list(this.#directory);
      const segments = new Set(names.filter((name) => SEGMENT_NAME.test(name)).map(numberIn));
      for (const name of names) {
        if (!INDEX_NAME.test(name) || segments.has(numberIn(name))) continue;
        await this.#disk.remove(`${this.#directory}/${name}`);
      }
    });
  }

  remove(segment: string): void {
    for (const isDoubted of [true, false]) {
      this.#behind(() => this.#disk.remove(this.#path(segment, isDoubted)));
    }
  }

  /** Everything begun is done. */
  idle(): Promise<void> {
    return this.#work;
  }

  /** What fails leaves a segment to be read in full when it is opened: the log itself has lost nothing. */
  #behind(task: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(task).catch(() => {});
    return this.#work;
  }

  async #rename(segment: string, { toDoubted }: { readonly toDoubted: boolean }): Promise<void> {
    await this.#disk.rename(this.#path(segment, !toDoubted), this.#path(segment, toDoubted));
    await this.#disk.syncDirectory(this.#directory);
  }

  #path(segment: string, isDoubted: boolean): string {
    return `${this.#directory}/${numberOf(segment)}.${isDoubted ? 'doubted' : 'index'}`;
  }
}

/** Of a name in the folder of a shard; 0 where it is none of ours. */
export function numberIn(name: string): number {
  return SEGMENT_NAME.test(name) || INDEX_NAME.test(name) ? Number.parseInt(name, 10) : 0;
}

function numberOf(name: string): string {
  return name.slice(0, name.indexOf('.'));
}
