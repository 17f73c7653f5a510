import type { GroupId } from '../../../raft/identity.ts';
import { bodyIsIntact } from '../block.ts';
import { type BlockHeader, blockMagic, headerLengthMin, parseHeader } from '../block-header.ts';
import type { Stray } from '../recover.ts';

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;
/** Where a header says how long it is. */
const HEADER_LENGTH_AT = 8;

/** What stands in the bytes of one segment. */
export interface SegmentScan {
  readonly blocks: readonly SegmentBlock[];
  /** Bytes that belong to no block that can be named, in the order of their places. */
  readonly strays: readonly { readonly offset: number; readonly stray: Stray }[];
  /** Its last commit is whole, or it is empty: another may be appended. */
  readonly endsClean: boolean;
}

export type SegmentBlock =
  | { readonly intact: true; readonly header: BlockHeader; readonly offset: number; readonly length: number }
  /** Its header can be read and its body is not what was written. */
  | { readonly intact: false; readonly group: GroupId; readonly number: number; readonly torn: boolean };

/** Bytes between whole blocks. Not empty. */
interface Gap {
  readonly from: number;
  readonly to: number;
  /** The block whose header stands at its start, if that much can be read. */
  readonly named: { readonly header: BlockHeader; readonly end: number } | null;
}

/**
 * Finds every whole block. At bytes that are none it looks for the next one, so that damage hides
 * nothing behind it; lengths are believed only of blocks that are whole.
 *
 * What an interrupted write leaves belongs to the last commit of a segment, and shows: the file ends too
 * early, or a sector was never written and reads as zeros. A gap before the last commit was synced
 * before that commit was written, so it is damage however it looks.
 */
export function scanSegment(bytes: Buffer, seed: number): SegmentScan {
  const blocks: SegmentBlock[] = [];
  const gaps: Gap[] = [];
  let lastCommit = 0;
  let at = 0;
  while (at < bytes.length) {
    const parsed = parseHeader(bytes.subarray(at), seed);
    const end = parsed.valid ? at + parsed.length + parsed.header.bodyLength : at;
    if (parsed.valid && end <= bytes.length && bodyIsIntact(parsed.header, bytes.subarray(at, end))) {
      blocks.push({ intact: true, header: parsed.header, offset: at, length: end - at });
      lastCommit = at - parsed.header.commitOffset;
      at = end;
      continue;
    }
    const next = bytes.indexOf(blockMagic, at + 1);
    const to = next === -1 ? bytes.length : next;
    gaps.push({ from: at, to, named: parsed.valid ? { header: parsed.header, end } : null });
    at = to;
  }
  const strays: { offset: number; stray: Stray }[] = [];
  for (const gap of gaps) {
    const torn = gap.from >= lastCommit && looksTorn(bytes, gap);
    if (gap.named !== null) {
      const { group, number } = gap.named.header;
      blocks.push({ intact: false, group, number, torn });
    } else if (!continuesNamed(gap, gaps)) {
      strays.push({ offset: gap.from, stray: torn ? 'torn' : 'damaged' });
    }
  }
  return { blocks, strays, endsClean: gaps.every(({ from }) => from < lastCommit) };
}

/** The bytes of a command may look like a block's beginning: that piece of a gap is part of the block it is in. */
function continuesNamed(gap: Gap, gaps: readonly Gap[]): boolean {
  return gaps.some(({ from, named }) => named !== null && from < gap.from && gap.from < named.end);
}

function looksTorn(bytes: Buffer, { from, to, named }: Gap): boolean {
  const end = named === null ? to : named.end;
  if (end > bytes.length || hasUnwrittenSector(bytes, from, end)) return true;
  return named === null && to === bytes.length && headerIsCutShort(bytes.subarray(from));
}

/** A whole sector, or what of one lies in the range, reads as zeros. */
function hasUnwrittenSector(bytes: Buffer, from: number, to: number): boolean {
  for (let sector = from - (from % SECTOR_BYTES); sector < to; sector += SECTOR_BYTES) {
    const part = bytes.subarray(Math.max(sector, from), Math.min(sector + SECTOR_BYTES, to));
    if (part.every((byte) => byte === 0)) return true;
  }
  return false;
}

/** Fewer bytes than the header says it has, or than any header has. */
function headerIsCutShort(rest: Buffer): boolean {
  const start = rest.subarray(0, blockMagic.length);
  if (!start.equals(blockMagic.slice(0, start.length))) return false;
  return rest.length < headerLengthMin || rest.readUInt32LE(HEADER_LENGTH_AT) > rest.length;
}
