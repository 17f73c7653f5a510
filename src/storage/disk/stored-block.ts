import type { Work } from '../../doors/work.ts';
import type { Entry } from '../../raft/entry.ts';
import type { Backend, BlockLocation } from './backends/backend.ts';
import { bodyIsIntact, isWhole, readEntries } from './block.ts';
import type { BlockHeader } from './block-header.ts';

/** A whole block, and where it is. */
export interface StoredBlock {
  readonly header: BlockHeader;
  readonly location: BlockLocation;
}

/**
 * The entries of a block that was found whole, or written: it may have been damaged since.
 *
 * @throws Error when it cannot be read, is not what was written, or cannot be decoded. Whoever opens the storage next
 *   finds it damaged, if it is.
 */
export async function entriesOf(
  block: StoredBlock,
  { backend, work }: { readonly backend: Backend; readonly work: Work },
): Promise<Entry[]> {
  const bytes = await bytesOf(block, backend, (found) => bodyIsIntact(block.header, found));
  return readEntries(block.header, bytes, work);
}

/** Whether it is there, header and body. @throws Error when it is not. Whoever opens the storage next finds that too. */
export async function checkBlock(
  block: StoredBlock,
  { backend, seed }: { readonly backend: Backend; readonly seed: number },
): Promise<void> {
  await bytesOf(block, backend, (found) => isWhole(block, found, seed));
}

async function bytesOf(
  { location }: StoredBlock,
  backend: Backend,
  isIntact: (bytes: Buffer) => boolean,
): Promise<Buffer> {
  try {
    const bytes = await backend.read(location);
    if (isIntact(bytes)) return bytes;
  } catch (error) {
    await backend.doubt(location);
    throw error;
  }
  await backend.doubt(location);
  throw new Error('its checksum is wrong');
}
