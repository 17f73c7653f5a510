import type { Work } from '../../doors/work.ts';
import type { Configuration } from '../../raft/configuration.ts';
import type { HardState } from '../../raft/effect.ts';
import type { Index } from '../../raft/entry.ts';
import type { CoveredDamage, LogDamage, LogFloor, RecoveredLog } from '../contract.ts';
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
    readonly covered?: CoveredDamage;
  },
): Promise<RecoveredLog> {
  const range = { floorIndex: known.floor.index, lastIndex: known.lastIndex };
  const configurations = await readConfigurations(by, blocks, range);
  return { ...known, runs: blocks.runs(range), configurations };
}

/**
 * The latest configuration that is known of a log which lost what lies before its floor: of what is held after that, or the
 * floor's own.
 *
 * @throws Error when a block that has one cannot be read.
 */
export async function latestKnown(
  by: { readonly backend: Backend; readonly work: Work },
  blocks: LiveBlocks<StoredBlock>,
  { floor, end }: { readonly floor: LogFloor; readonly end: { readonly index: Index } },
): Promise<Configuration | null> {
  const range = { floorIndex: floor.index, lastIndex: end.index };
  const configurations = await readConfigurations(by, blocks, range);
  return configurations.at(-1)?.configuration ?? floor.configuration;
}
