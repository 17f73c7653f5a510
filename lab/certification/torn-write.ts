import { changed, type FileChange, written } from './medium-file.ts';

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;
/** Of more sectors than this, not every subset: prefixes, one alone, and all but one. */
const EVERY_SUBSET_UP_TO = 3;

/**
 * Every content that a file may have once one more unsynced change reached the medium not at all (the first), in
 * part, or wholly (the last). Of a write any set of sectors arrives. Where it makes the file longer, the new
 * length may arrive before the data does, which then reads as zeros; or the file ends anywhere in the new bytes.
 */
export function outcomesOf(bytes: Uint8Array, change: FileChange): Uint8Array[] {
  if (change.kind === 'resize') return [bytes, changed(bytes, change)];
  const { offset, data } = change;
  const end = offset + data.length;
  const sectors = sectorsOf(offset, data);
  const outcomes = [bytes];
  for (const kept of subsets(sectors.length)) {
    let torn = bytes;
    for (const position of kept) {
      const sector = sectors[position];
      if (sector !== undefined) torn = written(torn, sector.offset, sector.data);
    }
    outcomes.push(torn);
    if (end > torn.length) outcomes.push(changed(torn, { kind: 'resize', length: end, number: 0 }));
  }
  for (const length of [1, data.length >> 1, data.length - 1]) {
    if (length > 0 && offset + length > bytes.length) {
      outcomes.push(written(bytes, offset, data.subarray(0, length)));
    }
  }
  outcomes.push(written(bytes, offset, data));
  return outcomes;
}

function sectorsOf(
  offset: number,
  data: Uint8Array,
): { readonly offset: number; readonly data: Uint8Array }[] {
  const sectors: { offset: number; data: Uint8Array }[] = [];
  for (let from = 0; from < data.length; ) {
    const to = Math.min(data.length, from + SECTOR_BYTES - ((offset + from) % SECTOR_BYTES));
    sectors.push({ offset: offset + from, data: data.subarray(from, to) });
    from = to;
  }
  return sectors;
}

/** Of the places 0 .. `count - 1`. The empty one first. */
function subsets(count: number): number[][] {
  const places = Array.from({ length: count }, (_, place) => place);
  if (count <= EVERY_SUBSET_UP_TO) {
    return Array.from({ length: 2 ** count }, (_, bits) => places.filter((place) => (bits >> place) & 1));
  }
  const chosen = [[] as number[]];
  for (const place of places) {
    chosen.push(
      places.slice(0, place + 1),
      [place],
      places.filter((other) => other !== place),
    );
  }
  return chosen;
}
