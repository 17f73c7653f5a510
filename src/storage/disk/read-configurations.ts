import type { Work } from '../../doors/work.ts';
import type { ConfigurationEntry, Index } from '../../raft/entry.ts';
import type { Backend } from './backends/backend.ts';
import { readEntries } from './block.ts';
import { headerLength } from './block-header.ts';
import type { LiveBlocks } from './live-blocks.ts';
import type { StoredBlock } from './stored-block.ts';

/** The configuration entries after the floor up to `lastIndex`, in order. Reads only blocks that have some. */
export async function readConfigurations(
  backend: Backend,
  blocks: LiveBlocks<StoredBlock>,
  range: { readonly floorIndex: Index; readonly lastIndex: Index },
  work: Work,
): Promise<ConfigurationEntry[]> {
  const configurations: ConfigurationEntry[] = [];
  for (const { block, firstIndex, lastIndex } of blocks.held()) {
    const { header, location } = block;
    if (!header.hasConfiguration || firstIndex > range.lastIndex) continue;
    const from = Math.max(firstIndex, range.floorIndex + 1);
    const to = Math.min(lastIndex, range.lastIndex);
    const start = headerLength(header.group, header.runs.length);
    for (const entry of await readEntries(header, start, await backend.read(location), work)) {
      if (entry.kind === 'configuration' && entry.index >= from && entry.index <= to) {
        configurations.push(entry);
      }
    }
  }
  return configurations;
}
