import type { FoundBlock, FoundFloor } from '../../../src/storage/disk/recover.ts';

/** `deep`: two entries in place of the last two, of terms that nothing tells of. `reopen`: a block that was under way is lost in a crash, and the open record voids its number. */
export type Step = 'append' | 'cut' | 'deep' | 'reopen';
type IntactBlock = Extract<FoundBlock, { intact: true }>;

/** What one group wrote, block by block, told by the simplest means: whole logs as lists of terms. */
export interface BlockHistory {
  readonly blocks: readonly IntactBlock[];
  /** The log after each number, as the terms of entries 1, 2, 3, ...; of what is void, the log before. */
  readonly logs: readonly (readonly number[])[];
  /** The log of the block that was under way in the crash, had it been kept; null when there was none. */
  readonly unvoided: { readonly number: number; readonly log: readonly number[] } | null;
  /** The highest number that was acknowledged. */
  readonly acknowledged: number;
  readonly term: number;
  readonly floor: FoundFloor | null;
}

/**
 * @param lastCommit - how many of the last blocks share one commit.
 * @param acknowledged - whether that commit was; all earlier ones were.
 * @param compactAfter - the step after which the floor moves up to the last entry but one; null: never.
 */
export function writeHistory(
  steps: readonly Step[],
  last: { readonly lastCommit: number; readonly acknowledged: boolean; readonly compactAfter: number | null },
): BlockHistory {
  const blocks: IntactBlock[] = [];
  const logs: number[][] = [[]];
  let floor: FoundFloor | null = null;
  let unvoided: BlockHistory['unvoided'] = null;
  let term = 1;
  let log: number[] = [];
  const write = (firstIndex: number, entries: readonly number[], voidFrom = 0): void => {
    const upon = voidFrom > 0 ? voidFrom - 1 : blocks.length;
    const before = { number: upon, index: log.length, term: log.at(-1) ?? 0 };
    log = [...log.slice(0, firstIndex - 1), ...entries];
    blocks.push({
      intact: true,
      number: blocks.length + 1,
      firstIndex,
      entryCount: entries.length,
      runs: entries.map((t, i) => ({ term: t, firstIndex: firstIndex + i })),
      predecessor: before,
      hardStateTerm: term,
      durableNumber: upon,
      voidFrom,
      repairs: false,
    });
    logs.push(log);
  };
  for (const [position, step] of steps.entries()) {
    if (step === 'append') write(log.length + 1, [term]);
    else if (step === 'cut') {
      term += 1;
      write(Math.max((floor?.index ?? 0) + 1, log.length), [term]);
    } else if (step === 'deep') {
      term += 2;
      write(Math.max((floor?.index ?? 0) + 1, log.length - 1), [term - 1, term]);
    } else {
      const kept = log;
      write(log.length + 1, [term]);
      unvoided = { number: blocks.length, log };
      log = kept;
      logs[logs.length - 1] = kept;
      term += 1;
      write(log.length + 1, [], blocks.length);
    }
    if (last.compactAfter === position && log.length > 1) floor = floorAt(log, log.length - 1, blocks, logs);
  }
  const first = Math.max(1, blocks.length - last.lastCommit + 1);
  const joined = blocks.map((block) =>
    block.number > first && block.voidFrom === 0 ? { ...block, durableNumber: first - 1 } : block,
  );
  const acknowledged = last.acknowledged ? blocks.length : first - 1;
  // A floor is written alone, after the commit before it: it tells of nothing that was not durable.
  const told =
    floor === null ? null : { ...floor, durableNumber: Math.min(floor.durableNumber, acknowledged) };
  return { blocks: joined, logs, unvoided, acknowledged, term, floor: told };
}

/** The lowest block that brought an entry which is still there, above the floor. */
function floorAt(
  log: readonly number[],
  index: number,
  blocks: readonly IntactBlock[],
  logs: readonly (readonly number[])[],
): FoundFloor {
  const lowest = blocks.find((block) => {
    const end = block.firstIndex + block.entryCount - 1;
    const survives = logs.slice(block.number).every((later) => later.length >= index + 1);
    return end > index && survives;
  });
  return {
    index,
    term: log[index - 1] ?? 0,
    lowestNumber: lowest?.number ?? blocks.length + 1,
    durableNumber: blocks.length,
  };
}
