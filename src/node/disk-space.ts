import type { StorageSpace } from '../storage/contract.ts';

/** What is wrong and what to do, for an operator. */
export function describeShortage({ directory, freeBytes, reserveBytes, enoughBytes }: StorageSpace): string {
  return (
    `the disk of ${directory} is nearly full: ${freeBytes} bytes are free, and ${reserveBytes} are kept in reserve. ` +
    'This replica takes no entries, and leads only where nobody else can, until ' +
    `${enoughBytes} are free; it loses nothing. Remove what is not needed there, enlarge the disk, or take snapshots ` +
    'more often'
  );
}

/**
 * What may go for entries that a new leader needs: a quarter of the reserve, as the rest is for what must be written in
 * any case. Where less is left, a quarter of that: each opening of the storage begins to count anew.
 */
export function spareOf({ freeBytes, reserveBytes }: StorageSpace): number {
  return Math.floor(Math.min(freeBytes, reserveBytes) / 4);
}
