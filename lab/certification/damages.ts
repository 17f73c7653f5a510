import type { SimulatedRandom } from '../world/simulated/random.ts';
import { databaseDamages } from './database-damages.ts';
import type { DatabaseImage, Image } from './image.ts';
import { changed, written } from './medium-file.ts';
import { SECTOR_BYTES } from './torn-write.ts';

export type DamageKind =
  | 'missing file'
  | 'zeroed file'
  | 'zeroed sector'
  | 'truncated file'
  | 'flipped bit'
  | 'records vanished'
  | 'an older value'
  | 'a changed value'
  | 'an empty database'
  | 'a corrupt database';

/** One place of a stopped storage, changed. */
export interface Damage {
  readonly kind: DamageKind;
  /** The file, or the folder of the database. */
  readonly path: string;
  readonly image: Image;
  /** The kind, and where. */
  readonly what: string;
}

/** A file up to this long has every bit flipped; up to the next, one of each byte. */
const EVERY_BIT_UP_TO = 1024;
const EVERY_BYTE_UP_TO = 16 * 1024;
/** Of a longer one, so many places. */
const PLACES = 512;

/** Every file gone: what a storage does without entirely, damage in it must not stop. */
export function missingFiles(image: Image): Damage[] {
  return [...image.files.keys()].map((path) => ({
    kind: 'missing file',
    path,
    image: withFile(image, path, null),
    what: `${path} is missing`,
  }));
}

/** Everything that strikes more than one byte: few, and the telling ones. */
export function largeDamages(image: Image, random: SimulatedRandom): Damage[] {
  const files = [...image.files].flatMap(([path, bytes]) => [
    ...zeroed(image, path, bytes),
    ...truncated(image, path, bytes),
  ]);
  const databases = [...image.databases].flatMap(([path, database]) =>
    databaseDamages(database, random).map(
      ({ kind, what, damaged }): Damage => ({
        kind,
        path,
        image: withDatabase(image, path, damaged),
        what: `in database ${path} ${what}`,
      }),
    ),
  );
  return [...files, ...databases];
}

/** Flipped bits, by place: the image is made when it is wanted. */
export function flips(image: Image, random: SimulatedRandom): (() => Damage)[] {
  return [...image.files].flatMap(([path, bytes]) =>
    bitsOf(bytes, random).map(({ at, bit }) => () => ({
      kind: 'flipped bit',
      path,
      image: withFile(image, path, written(bytes, at, Uint8Array.of((bytes[at] ?? 0) ^ (1 << bit)))),
      what: `bit ${bit} of byte ${at} of ${path} is flipped`,
    })),
  );
}

function bitsOf(bytes: Uint8Array, random: SimulatedRandom): { readonly at: number; readonly bit: number }[] {
  if (bytes.length <= EVERY_BIT_UP_TO) {
    return [...bytes.keys()].flatMap((at) => Array.from({ length: 8 }, (_, bit) => ({ at, bit })));
  }
  const places = new Set<number>();
  const isLong = bytes.length > EVERY_BYTE_UP_TO;
  // Of a long one, what was written matters more than the room between.
  for (const [at, byte] of bytes.entries()) if (byte !== 0 || !isLong) places.add(at);
  for (let place = 0; isLong && place < PLACES; place += 1) places.add(random.integer(0, bytes.length));
  return [...places].map((at) => ({ at, bit: random.integer(0, 8) }));
}

function zeroed(image: Image, path: string, bytes: Uint8Array): Damage[] {
  const damages: Damage[] = [];
  if (bytes.length > 0) {
    const now = withFile(image, path, new Uint8Array(bytes.length));
    damages.push({ kind: 'zeroed file', path, image: now, what: `${path} reads as zeros` });
  }
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    const sector = bytes.subarray(at, at + SECTOR_BYTES);
    if (sector.every((byte) => byte === 0)) continue;
    const now = withFile(image, path, written(bytes, at, new Uint8Array(sector.length)));
    damages.push({
      kind: 'zeroed sector',
      path,
      image: now,
      what: `the sector at ${at} of ${path} reads as zeros`,
    });
  }
  return damages;
}

function truncated(image: Image, path: string, bytes: Uint8Array): Damage[] {
  const sectors = Math.ceil(bytes.length / SECTOR_BYTES);
  const ends = Array.from({ length: Math.min(sectors, 16) }, (_, sector) => sector * SECTOR_BYTES);
  const lengths = new Set([...ends, bytes.length >> 1, bytes.length - 1].filter((length) => length >= 0));
  return [...lengths]
    .filter((length) => length < bytes.length)
    .map((length) => ({
      kind: 'truncated file',
      path,
      image: withFile(image, path, changed(bytes, { kind: 'resize', length, number: 0 })),
      what: `${path} ends after ${length} of ${bytes.length} bytes`,
    }));
}

function withFile(image: Image, path: string, bytes: Uint8Array | null): Image {
  const files = new Map(image.files);
  if (bytes === null) files.delete(path);
  else files.set(path, bytes);
  return { ...image, files };
}

function withDatabase(image: Image, path: string, database: DatabaseImage): Image {
  return { ...image, databases: new Map(image.databases).set(path, database) };
}
