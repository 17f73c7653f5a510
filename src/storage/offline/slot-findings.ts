import type { GroupId } from '../../raft/identity.ts';
import { hardStateNames } from '../disk/hard-state-file.ts';
import type { DecodedRecord } from '../disk/record.ts';
import { SlotFile } from '../disk/slot-file.ts';
import type { Finding } from './finding.ts';
import { namesIn } from './folder-tree.ts';
import type { StoppedDirectory } from './stopped-directory.ts';

/**
 * The small records that are kept twice, so that one of them may be damaged and nothing is lost: which are. A record
 * takes one sector, so hardly any crash leaves half of one.
 */
export async function findingsInSlots(stopped: StoppedDirectory): Promise<Finding[]> {
  const names = (await namesIn(stopped.disk, stopped.directory)) ?? [];
  const missing = [...hardStateNames, 'mark'].filter((name) => !names.includes(name));
  return [
    ...missing.map((file): Finding => ({ kind: 'damage', file, what: `the file ${file} is missing` })),
    ...(missing.some(isCopy) ? [] : await findingsInHardStates(stopped)),
    ...(await findingsInMarks(stopped)),
  ];
}

async function findingsInHardStates(stopped: StoppedDirectory): Promise<Finding[]> {
  const [first, second] = [
    await slotsOf(stopped, hardStateNames[0]),
    await slotsOf(stopped, hardStateNames[1]),
  ];
  const findings: Finding[] = [];
  for (let place = 0; place < Math.max(first.length, second.length); place += 1) {
    for (const [file, slot, other] of [
      [hardStateNames[0], first[place], second[place]],
      [hardStateNames[1], second[place], first[place]],
    ] as const) {
      const why = slot?.kind === 'invalid' ? 'damaged' : isGone(slot, other) ? 'gone' : null;
      if (why !== null)
        findings.push(lostCopy(file, `the copy of term and vote in slot ${place} is ${why}`, other));
    }
  }
  return findings;
}

/** Number 1 is written to both files before number 2 is written to either. */
function isGone(slot: DecodedRecord | undefined, other: DecodedRecord | undefined): boolean {
  if (slot !== undefined && slot.kind !== 'blank') return false;
  return other?.kind === 'value' && (other.value as { readonly number: number }).number > 1;
}

async function findingsInMarks(stopped: StoppedDirectory): Promise<Finding[]> {
  const slots = await slotsOf(stopped, 'mark');
  return slots.flatMap((slot, place) => {
    if (slot.kind !== 'invalid') return [];
    const other = slots[place % 2 === 0 ? place + 1 : place - 1];
    return [
      lostCopy('mark', `what it says in slot ${place} of how far the log was durable is damaged`, other),
    ];
  });
}

function lostCopy(file: string, what: string, other: DecodedRecord | undefined): Finding {
  if (other?.kind !== 'value')
    return { kind: 'damage', file, what: `${file}: ${what}, and there is no other` };
  const { group } = other.value as { readonly group: GroupId };
  return { kind: 'damage', file, group, what: `${file}: ${what}; the other one is whole, and is used` };
}

async function slotsOf(stopped: StoppedDirectory, name: string): Promise<DecodedRecord[]> {
  const file = await SlotFile.open(stopped.disk, `${stopped.directory}/${name}`, stopped.seed);
  return file.readAll().finally(() => file.close());
}

function isCopy(name: string): boolean {
  return (hardStateNames as readonly string[]).includes(name);
}
