import type { Work } from '../../doors/work.ts';
import type { ConfigurationEntry, Index } from '../../raft/entry.ts';
import type { Backend } from './backends/backend.ts';
import { readEntries } from './block.ts';
import { headerLength } from './block-header.ts';
import type { LiveBlocks } from './live-blocks.ts';

/** The configuration entries of a log, in order. Reads only blocks that have some. */
export async function readConfigurations(
  backend: Backend,
  blocks: LiveBlocks,
  { floorIndex, work }: { readonly floorIndex: Index; readonly work: Work },
): Promise<ConfigurationEntry[]> {
  const configurations: ConfigurationEntry[] = [];
  for (const { header, location, lastIndex } of blocks.all()) {
    if (!header.hasConfiguration) continue;
    const start = headerLength(header.group, header.runs.length);
    for (const entry of await readEntries(header, start, await backend.read(location), work)) {
      if (entry.kind !== 'configuration') continue;
      if (entry.index > floorIndex && entry.index <= lastIndex) configurations.push(entry);
    }
  }
  return configurations;
}
