import type { Work } from '../../doors/work.ts';
import type { HardState } from '../../raft/effect.ts';
import type { Index } from '../../raft/entry.ts';
import type { LogDamage, LogFloor, RecoveredLog } from '../contract.ts';
import type { Backend } from './backends/backend.ts';
import type { LiveBlocks } from './live-blocks.ts';
import { readConfigurations } from './read-configurations.ts';
import type { StoredBlock } from './stored-block.ts';

/**
 * A log up to `lastIndex`, the entry before the first that is missing. Reads the blocks that have configurations.
 *
 * @throws Error when one of them cannot be read.
 */
export async function recoveredLog(
  by: { readonly backend: Backend; readonly work: Work },
  blocks: LiveBlocks<StoredBlock>,
  known: {
    readonly hardState: HardState;
    readonly floor: LogFloor;
    readonly lastIndex: Index;
    readonly damage: LogDamage | null;
  },
): Promise<RecoveredLog> {
  const range = { floorIndex: known.floor.index, lastIndex: known.lastIndex };
  const configurations = await readConfigurations(by, blocks, range);
  return { ...known, runs: blocks.runs(range), configurations };
}
