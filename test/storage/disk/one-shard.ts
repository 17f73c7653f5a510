import type { Scan } from '../../../src/storage/disk/backends/backend.ts';
import { FilesBackend } from '../../../src/storage/disk/backends/files.ts';
import { type SealedBlock, sealPlain } from '../../../src/storage/disk/block.ts';
import type { MemoryDisk } from './memory-disk.ts';

export const seed = 7;

/** Of one entry, whose index is its number. */
export function block(group: string, number: number, payload: Buffer, commitOffset = 0): SealedBlock {
  return sealPlain(
    {
      group,
      number,
      firstIndex: number,
      predecessor: { number: number - 1, index: number - 1, term: number === 1 ? 0 : 1 },
      hardStateTerm: 1,
      durableNumber: number - 1,
      voidFrom: 0,
      repairs: false,
      commitOffset,
      entries: [{ kind: 'command', index: number, term: 1, payload }],
    },
    seed,
  );
}

/** Random-looking and without zeros, so that no sector of it passes for one that was never written. */
export const text = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => 1 + ((i * 37) % 251)));

/** One shard in `/s`. */
export async function open(
  disk: MemoryDisk,
  segmentBytes = 1e6,
  isThorough = false,
): Promise<{ backend: FilesBackend; scan: Scan }> {
  await disk.makeDirectory('/s');
  const backend = new FilesBackend(disk, '/s', seed, segmentBytes);
  const scan = await backend.scan({ isThorough });
  await backend.settle();
  return { backend, scan };
}

/** Group and number of each block, in the order of the scan. */
export const found = ({ blocks }: Scan): string[] =>
  blocks.map((b) =>
    b.intact ? `${b.header.group}${b.header.number}` : `${b.group}${b.number} ${b.torn ? 'torn' : 'changed'}`,
  );

export const bytesOf = (disk: MemoryDisk, name: string): Buffer =>
  disk.files.get(`/s/${name}`) ?? Buffer.alloc(0);

/** Names of the segments, without what stands beside them. */
export const segmentsOf = async (disk: MemoryDisk): Promise<string[]> =>
  (await disk.list('/s')).filter((name) => name.endsWith('.blocks'));
