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

/** Of the reserve, what may go for entries that a new leader needs: the rest is for what must be written in any case. */
export function spareOf({ reserveBytes }: StorageSpace): number {
  return Math.floor(reserveBytes / 4);
}
