import type { Fault, RottenFiles } from './scenario.ts';

/** Why a fault is over by itself, so that no end of it is to be written; null when it lasts until it is healed. */
export function whyMomentary(fault: Fault): string | null {
  if (fault.kind === 'membership') return 'a change of the membership ends when it is done';
  if (fault.kind !== 'disk') return null;
  if (fault.how === 'rots') return 'what has rotten stays so, until it is repaired';
  return fault.how === 'fails' ? 'a disk fault ends by itself after `times` operations' : null;
}

/** Whether it leaves less room on a disk. */
export function fillsDisk(fault: Fault): boolean {
  return fault.kind === 'disk' && fault.how === 'fills';
}

/** Whether what a replica had promised is in these files: without them it is another server. */
export function holdPromises(files: RottenFiles): boolean {
  return files === 'hard-state' || files === 'identity' || files === 'floor';
}

/** Whether it makes writes fail, so that a storage has to be reopened. */
export function failsWrites(fault: Fault): boolean {
  return fillsDisk(fault) || (fault.kind === 'disk' && fault.how === 'fails');
}
