import type { Work } from '../../doors/work.ts';
import type { Entry } from '../../raft/entry.ts';
import type { Backend, BlockLocation } from './backends/backend.ts';
import { bodyIsIntact, readEntries } from './block.ts';
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
  { header, location }: StoredBlock,
  { backend, work }: { readonly backend: Backend; readonly work: Work },
): Promise<Entry[]> {
  let bytes: Buffer;
  try {
    bytes = await backend.read(location);
    if (!bodyIsIntact(header, bytes)) throw new Error('its checksum is wrong');
  } catch (error) {
    await backend.doubt(location);
    throw error;
  }
  return readEntries(header, bytes, work);
}
