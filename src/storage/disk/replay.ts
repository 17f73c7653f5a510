import type { Index, Term } from '../../raft/entry.ts';
import type { LogEnd } from './block-header.ts';
import { type Gap, LiveBlocks, type ReplayedHeader } from './live-blocks.ts';

/** What blocks make when they are replayed. */
export interface Replay<B extends { readonly header: ReplayedHeader }> {
  readonly blocks: LiveBlocks<B>;
  /** The log's last entry, whether a block gives it or not. Its term is 0 when nothing tells it. */
  readonly end: LogEnd;
  /** Entries after the floor, or after what is left below it, that no block gives for sure. */
  readonly gaps: readonly Gap[];
}

/** Where a log begins: what stands there, and before it, is not in its blocks. */
export interface LogStart {
  readonly index: Index;
  readonly term: Term;
}

/**
 * Each block, in the order of numbers, cuts the log at its first index and appends its entries; a repair only puts
 * entries where some are missing. A block that does not continue what stands before it was written upon
 * others, which are lost.
 *
 * @param below - the snapshot of the floor is lost, and this is the newest one before it: the log has to begin there. What
 *   the floor says stays true, that its entry is in the log and committed, and which blocks count; so blocks are judged by
 *   it as before, and what no block gives from `below` on up to it is missing like anything else.
 */
export function replay<B extends { readonly header: ReplayedHeader }>(
  live: readonly B[],
  floor: LogStart | null,
  below: LogStart | null = null,
): Replay<B> {
  const { index: floorIndex, term: floorTerm } = floor ?? { index: 0, term: 0 };
  const blocks = new LiveBlocks<B>(below === null ? null : { index: floorIndex, term: floorTerm });
  const atFloor = (number: number): LogEnd => ({ number, index: floorIndex, term: floorTerm });
  let end = atFloor(0);
  for (const [position, block] of live.entries()) {
    const { number, firstIndex, entryCount, predecessor, repairs } = block.header;
    if (!continues(block.header, end, { isFirst: position === 0, floorIndex })) {
      blocks.lose(predecessor);
      end = predecessor.index > floorIndex ? predecessor : atFloor(predecessor.number);
    } else if (isNameless(end, floorIndex) && predecessor.index === end.index && predecessor.term > 0) {
      blocks.name(predecessor);
      end = predecessor;
    }
    if (repairs) {
      blocks.fill(block);
      end = { ...end, number };
      continue;
    }
    const index = firstIndex + entryCount - 1;
    const isSame = entryCount === 0 && index === end.index;
    blocks.add(block);
    if (index <= floorIndex) end = atFloor(number);
    else end = { number, index, term: isSame ? end.term : (blocks.knownTermAt(index) ?? 0) };
  }
  return { blocks, end, gaps: blocks.gaps({ floorIndex: below?.index ?? floorIndex, lastIndex: end.index }) };
}

/** A block that cut into what is missing left an end of which nothing tells the term. */
function isNameless({ index, term }: LogEnd, floorIndex: Index): boolean {
  return term === 0 && index > floorIndex;
}

/**
 * Whether the block was written upon the log as replayed so far. Not known where it was written upon
 * blocks that the floor has made dead since.
 */
function continues(
  { predecessor, firstIndex, entryCount, repairs }: ReplayedHeader,
  end: LogEnd,
  { isFirst, floorIndex }: { readonly isFirst: boolean; readonly floorIndex: Index },
): boolean {
  if (!isFirst && predecessor.number !== end.number) return false;
  // It does not say where the log ends: its predecessor does.
  if (isFirst && repairs) return false;
  if (isFirst || predecessor.index <= floorIndex) {
    return firstIndex <= end.index + 1 || firstIndex + entryCount - 1 <= floorIndex;
  }
  const agrees = predecessor.term === end.term || isNameless(end, floorIndex);
  return predecessor.index === end.index && agrees && firstIndex <= end.index + 1;
}
