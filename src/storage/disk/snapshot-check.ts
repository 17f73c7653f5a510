import { sha256 } from '../../doors/digest.ts';
import type { SnapshotMeta } from '../contract.ts';
import { ContentSums } from './content-sums.ts';
import { contentOffset, readSnapshotRecord, snapshotName } from './snapshot-record.ts';

const READ_BYTES = 1024 * 1024;

export type CheckedSnapshot =
  | { readonly isWhole: true; readonly meta: SnapshotMeta; readonly sums: ContentSums }
  /** `meta` is what its record says, if that can be read. */
  | { readonly isWhole: false; readonly meta: SnapshotMeta | null; readonly why: string };

/** Whether a file is what was once written under its name, down to the last byte of its content. */
export async function checkSnapshot(
  name: string,
  seed: number,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<CheckedSnapshot> {
  const changed = (meta: SnapshotMeta | null, why: string): CheckedSnapshot => ({
    isWhole: false,
    meta,
    why,
  });
  const meta = await readSnapshotRecord(read, seed);
  if (meta === null) return changed(null, 'its record cannot be read');
  if (snapshotName(meta) !== name) return changed(meta, `its record is that of ${snapshotName(meta)}`);
  const contentAt = contentOffset(meta);
  const digest = sha256();
  const sums = new ContentSums();
  for (let offset = 0; offset < meta.size; offset += READ_BYTES) {
    const length = Math.min(READ_BYTES, meta.size - offset);
    const bytes = await read(contentAt + offset, length);
    if (bytes.length < length)
      return changed(meta, `it ends at byte ${offset + bytes.length} of ${meta.size}`);
    digest.update(bytes);
    sums.add(bytes);
  }
  return digest.finish() === meta.digest
    ? { isWhole: true, meta, sums }
    : changed(meta, 'its digest is wrong');
}
