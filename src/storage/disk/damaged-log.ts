import { type LostPromises, StorageRefused } from '../errors.ts';

/** A log that cannot be used as it is. @param report - shard, group, and what is wrong. */
export function damagedLog(
  directory: string,
  report: string,
  lost?: Omit<LostPromises, 'what'>,
): StorageRefused {
  return new StorageRefused(
    'damaged',
    `${directory}: ${report}. A crash cannot do this. Keep a copy; restore the directory from where it is ` +
      'intact, or replace this replica.',
    lost === undefined ? {} : { lostPromises: { what: report, ...lost } },
  );
}
