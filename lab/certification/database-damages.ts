import type { TableChange } from '../world/simulated/database-content.ts';
import type { SimulatedRandom } from '../world/simulated/random.ts';
import type { DamageKind } from './damages.ts';
import type { DatabaseImage } from './image.ts';

export interface DatabaseDamage {
  readonly kind: DamageKind;
  readonly damaged: DatabaseImage;
  readonly what: string;
}

/** Of one value. */
const FLIPS_MAX = 64;

/**
 * What LevelDB was seen to do with damage, mostly without an error: a run of consecutive synced records vanishes,
 * deletes and overwrites included; an older value of a key returns; a value differs; the database opens empty, or
 * not at all.
 */
export function databaseDamages({ batches }: DatabaseImage, random: SimulatedRandom): DatabaseDamage[] {
  if (batches.length === 0) return [];
  return [
    { kind: 'an empty database', damaged: { batches: [], opens: true }, what: 'there is nothing' },
    {
      kind: 'a corrupt database',
      damaged: { batches, opens: false },
      what: 'nothing can be read: it does not open',
    },
    ...vanishedRuns(batches),
    ...olderValues(batches),
    ...changedValues(batches, random),
  ];
}

function vanishedRuns(batches: DatabaseImage['batches']): DatabaseDamage[] {
  const damages: DatabaseDamage[] = [];
  for (let from = 0; from < batches.length; from += 1) {
    for (let to = from + 1; to <= batches.length; to += 1) {
      const left = [...batches.slice(0, from), ...batches.slice(to)];
      const what = `records ${from + 1} to ${to} of ${batches.length} vanished`;
      damages.push({ kind: 'records vanished', damaged: { batches: left, opens: true }, what });
    }
  }
  return damages;
}

/** The last change of a key is undone, and of that key alone: also a delete. */
function olderValues(batches: DatabaseImage['batches']): DatabaseDamage[] {
  const changes = new Map<string, TableChange[]>();
  for (const change of batches.flat()) changes.set(change.key, [...(changes.get(change.key) ?? []), change]);
  return [...changes].flatMap(([key, ofKey]): DatabaseDamage[] => {
    const older = ofKey.slice(0, -1).reverse();
    return older.map(({ value }) => ({
      kind: 'an older value',
      damaged: { batches: [...batches, [{ key, value }]], opens: true },
      what: `an older value of key ${hex(key)} is back`,
    }));
  });
}

function changedValues(batches: DatabaseImage['batches'], random: SimulatedRandom): DatabaseDamage[] {
  const values = new Map<string, Uint8Array | null>();
  for (const { key, value } of batches.flat()) values.set(key, value);
  return [...values].flatMap(([key, value]): DatabaseDamage[] => {
    if (value === null || value.length === 0) return [];
    const places = Array.from({ length: Math.min(FLIPS_MAX, value.length) }, () =>
      random.integer(0, value.length),
    );
    return [...new Set(places)].map((at) => {
      const now = new Uint8Array(value);
      now[at] = (now[at] ?? 0) ^ (1 << random.integer(0, 8));
      return {
        kind: 'a changed value',
        damaged: { batches: [...batches, [{ key, value: now }]], opens: true },
        what: `byte ${at} of the value of key ${hex(key)} is ${now[at]}, not ${value[at]}`,
      };
    });
  });
}

function hex(key: string): string {
  return Buffer.from(key, 'latin1').toString('hex');
}
