import type { Work } from '../../doors/work.ts';
import type { Configuration } from '../../raft/configuration.ts';
import type { Index } from '../../raft/entry.ts';
import type { SnapshotMeta } from '../contract.ts';
import type { Backend } from './backends/backend.ts';
import type { FloorRecord } from './floor-file.ts';
import { readConfigurations } from './read-configurations.ts';
import { type Records, recover } from './recover.ts';
import { replay } from './replay.ts';
import type { StoredBlock } from './stored-block.ts';

/**
 * The latest configuration that can still be read of a log which is not to be opened: who else there is. Only to be
 * told by; it may be older than one that is lost.
 *
 * @param found - the log's whole blocks, in the order of their numbers.
 */
export async function latestReadable(
  {
    records,
    floor,
    snapshot,
    found,
  }: {
    readonly records: Records;
    readonly floor: FloorRecord | null;
    readonly snapshot: SnapshotMeta | null;
    readonly found: readonly StoredBlock[];
  },
  by: { readonly backend: Backend; readonly work: Work },
): Promise<Configuration | null> {
  const known: { index: Index; configuration: Configuration | null }[] = [];
  for (const one of [floor, snapshot]) if (one !== null) known.push(one);
  const verdict = recover({ ...records, floor, hardState: ofAnyTerm });
  if ('live' in verdict) {
    const live = new Set(verdict.live);
    const { blocks, end } = replay(
      found.filter(({ header }) => live.has(header.number)),
      floor,
    );
    const range = { floorIndex: floor?.index ?? 0, lastIndex: end.index };
    known.push(...(await readConfigurations(by, blocks, range).catch(() => [])));
  }
  const [latest] = known.sort((a, b) => b.index - a.index);
  return latest?.configuration ?? null;
}

/** As if no block were ahead of it. */
const ofAnyTerm = {
  kind: 'found',
  hardState: { term: Number.MAX_SAFE_INTEGER, votedFor: null },
} as const;
