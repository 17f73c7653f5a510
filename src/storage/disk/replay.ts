import type { Index, TermRun } from '../../raft/entry.ts';
import type { LogEnd } from './block-header.ts';
import type { FoundFloor, IntactBlock } from './recover.ts';

/** What blocks make when they are replayed. */
export interface Replay {
  readonly end: LogEnd;
  /** Terms of the entries after the floor. */
  readonly runs: readonly TermRun[];
  /** Blocks that do not continue what stands before them, though they are whole. */
  readonly misfits: readonly number[];
}

/** Each block, in the order of numbers, cuts the log at its first index and appends its entries. */
export function replay(live: readonly IntactBlock[], floor: FoundFloor | null): Replay {
  const floorIndex = floor?.index ?? 0;
  const floorTerm = floor?.term ?? 0;
  const misfits: number[] = [];
  const runs: TermRun[] = [];
  let end: LogEnd = { number: 0, index: floorIndex, term: floorTerm };
  for (const [position, block] of live.entries()) {
    if (!continues(block, end, { isFirst: position === 0, floorIndex })) misfits.push(block.number);
    while ((runs.at(-1)?.firstIndex ?? 0) >= block.firstIndex) runs.pop();
    for (const run of block.runs) if (runs.at(-1)?.term !== run.term) runs.push(run);
    const index = Math.max(floorIndex, block.firstIndex + block.entryCount - 1);
    const term = index === floorIndex ? floorTerm : (runs.at(-1)?.term ?? floorTerm);
    end = { number: block.number, index, term };
  }
  return { end, runs: afterFloor(runs, floorIndex, end.index), misfits };
}

/**
 * Whether the block was written upon the log as replayed so far. Not known where it was written upon
 * blocks that the floor has made dead since.
 */
function continues(
  block: IntactBlock,
  end: LogEnd,
  { isFirst, floorIndex }: { readonly isFirst: boolean; readonly floorIndex: Index },
): boolean {
  const { predecessor, firstIndex } = block;
  if (!isFirst && predecessor.number !== end.number) return false;
  if (isFirst || predecessor.index <= floorIndex) {
    return firstIndex <= end.index + 1 || firstIndex + block.entryCount - 1 <= floorIndex;
  }
  return predecessor.index === end.index && predecessor.term === end.term && firstIndex <= end.index + 1;
}

function afterFloor(runs: readonly TermRun[], floorIndex: Index, lastIndex: Index): TermRun[] {
  const kept: TermRun[] = [];
  for (const [position, run] of runs.entries()) {
    const to = (runs[position + 1]?.firstIndex ?? lastIndex + 1) - 1;
    const firstIndex = Math.max(run.firstIndex, floorIndex + 1);
    if (firstIndex <= to) kept.push({ term: run.term, firstIndex });
  }
  return kept;
}
