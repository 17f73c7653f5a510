/** Some bytes of a snapshot's content. */
export interface SnapshotRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * What of `range` lies within a content of `size` bytes; nothing when it begins behind the end.
 *
 * @throws RangeError when it is no range.
 */
export function rangeWithin({ offset, length }: SnapshotRange, size: number): SnapshotRange {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new RangeError(`a snapshot has no ${length} bytes at ${offset}: both are whole numbers from 0`);
  }
  return { offset, length: Math.max(0, Math.min(length, size - offset)) };
}
