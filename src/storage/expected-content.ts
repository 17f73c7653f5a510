import type { SnapshotMeta } from './contract.ts';
import { SnapshotMismatch } from './errors.ts';

/** What a snapshot's content was said to be by whoever sends it. */
export type ExpectedContent = Pick<SnapshotMeta, 'size' | 'digest'>;

/** Before more is written than was ever promised. @throws SnapshotMismatch. */
export function refuseLongerContent(size: number, expected: ExpectedContent | undefined): void {
  if (expected === undefined || size <= expected.size) return;
  throw new SnapshotMismatch(`the snapshot has more than the ${expected.size} bytes that were expected`);
}

/** Once the whole is there. @throws SnapshotMismatch. */
export function refuseOtherContent(found: ExpectedContent, expected: ExpectedContent | undefined): void {
  if (expected === undefined) return;
  if (found.size !== expected.size) {
    throw new SnapshotMismatch(`the snapshot has ${found.size} bytes, expected ${expected.size}`);
  }
  if (found.digest === expected.digest) return;
  throw new SnapshotMismatch(`the snapshot has digest ${found.digest}, expected ${expected.digest}`);
}
