import type { Work } from '../../doors/work.ts';
import type { ConfigurationEntry, Index } from '../../raft/entry.ts';
import type { Backend } from './backends/backend.ts';
import type { LiveBlocks } from './live-blocks.ts';
import { entriesOf, type StoredBlock } from './stored-block.ts';

/**
 * The configuration entries after the floor up to `lastIndex`, in order. Reads only blocks that have some.
 *
 * @throws Error when one of them cannot be read.
 */
export async function readConfigurations(
  by: { readonly backend: Backend; readonly work: Work },
  blocks: LiveBlocks<StoredBlock>,
  range: { readonly floorIndex: Index; readonly lastIndex: Index },
): Promise<ConfigurationEntry[]> {
  const configurations: ConfigurationEntry[] = [];
  for (const { block, firstIndex, lastIndex } of blocks.held()) {
    if (!block.header.hasConfiguration || firstIndex > range.lastIndex) continue;
    const from = Math.max(firstIndex, range.floorIndex + 1);
    const to = Math.min(lastIndex, range.lastIndex);
    for (const entry of await entriesOf(block, by)) {
      if (entry.kind === 'configuration' && entry.index >= from && entry.index <= to) {
        configurations.push(entry);
      }
    }
  }
  return configurations;
}
