import type { Disk, DiskFile } from '../../../doors/disk.ts';
import type { GroupId } from '../../../raft/identity.ts';
import { bodyIsIntact, type SealedBlock } from '../block.ts';
import { blockMagic, parseHeader } from '../block-header.ts';
import type { Tail } from '../recover.ts';
import type { Backend, BlockLocation, Scan, ScannedBlock } from './backend.ts';

const SEGMENT_BYTES = 64 * 1024 * 1024;
/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

interface Segment {
  readonly name: string;
  readonly file: DiskFile;
  size: number;
  /** The highest number it holds of each group. */
  readonly highest: Map<GroupId, number>;
}

/**
 * Append-only segment files. Blocks stand one after another, each saying how long it is; one commit is
 * one buffer, one append, one sync. A scan that meets bytes that are no block looks for the next one, so
 * that damage in the middle hides nothing behind it.
 */
export class FilesBackend implements Backend {
  readonly #disk: Disk;
  readonly #directory: string;
  /** What the checksums of this storage's blocks begin with. */
  readonly #seed: number;
  readonly #segments: Segment[] = [];
  readonly #lowest = new Map<GroupId, number>();
  #lastName = 0;
  /** Appends go to the last segment, or, before the first and after an unclean end, to a new one. */
  #needsSegment = true;

  constructor(disk: Disk, directory: string, seed: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#seed = seed;
  }

  async scan(): Promise<Scan> {
    const names = (await this.#disk.list(this.#directory)).filter((name) => /^\d{12}\.blocks$/.test(name));
    const blocks: ScannedBlock[] = [];
    let tail: Tail = 'none';
    for (const name of names) {
      const file = await this.#disk.open(this.#path(name));
      const size = await file.size();
      const segment: Segment = { name, file, size, highest: new Map() };
      this.#segments.push(segment);
      this.#lastName = Number.parseInt(name, 10);
      tail = this.#scanBytes(asBuffer(await file.read(0, size)), segment, blocks);
    }
    // A process that was killed leaves bytes that are readable and not durable.
    await this.#segments.at(-1)?.file.sync();
    await this.#disk.syncDirectory(this.#directory);
    this.#needsSegment = this.#segments.length === 0 || tail !== 'none';
    return { blocks, tail };
  }

  async append(blocks: readonly SealedBlock[]): Promise<BlockLocation[]> {
    const segment = await this.#segmentForAppend();
    const [only] = blocks;
    const bytes =
      blocks.length === 1 && only !== undefined ? only.bytes : Buffer.concat(blocks.map((b) => b.bytes));
    let offset = segment.size;
    await segment.file.append(bytes);
    await segment.file.sync();
    segment.size += bytes.length;
    return blocks.map(({ header, bytes: { length } }) => {
      segment.highest.set(header.group, header.number);
      const location = { backendLocation: { segment, offset, length } satisfies Place };
      offset += length;
      return location;
    });
  }

  async read(location: BlockLocation): Promise<Buffer> {
    const { segment, offset, length } = location.backendLocation as Place;
    return asBuffer(await segment.file.read(offset, length));
  }

  async dropBelow(group: GroupId, number: number): Promise<void> {
    this.#lowest.set(group, number);
    const isDead = (segment: Segment): boolean =>
      [...segment.highest].every(([of, highest]) => highest < (this.#lowest.get(of) ?? 0));
    // The last segment stays: appends go there, and its name keeps names from being used twice.
    const dead = this.#segments.slice(0, -1).filter(isDead);
    for (const segment of dead) {
      this.#segments.splice(this.#segments.indexOf(segment), 1);
      await segment.file.close();
      await this.#disk.remove(this.#path(segment.name));
    }
    if (dead.length > 0) await this.#disk.syncDirectory(this.#directory);
  }

  async close(): Promise<void> {
    for (const { file } of this.#segments.splice(0)) await file.close();
  }

  async #segmentForAppend(): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (last !== undefined && !this.#needsSegment && last.size < SEGMENT_BYTES) return last;
    this.#lastName += 1;
    const name = `${String(this.#lastName).padStart(12, '0')}.blocks`;
    const file = await this.#disk.open(this.#path(name), { create: true, exclusive: true });
    await this.#disk.syncDirectory(this.#directory);
    const segment: Segment = { name, file, size: 0, highest: new Map() };
    this.#segments.push(segment);
    this.#needsSegment = false;
    return segment;
  }

  /** @returns what follows the last block. */
  #scanBytes(bytes: Buffer, segment: Segment, found: ScannedBlock[]): Tail {
    let at = 0;
    let gapFrom = 0;
    while (at < bytes.length) {
      const parsed = parseHeader(bytes.subarray(at), this.#seed);
      if (!parsed.valid) {
        const next = bytes.indexOf(blockMagic, at + 1);
        at = next === -1 ? bytes.length : next;
        continue;
      }
      const { header, length } = parsed;
      const { group, number } = header;
      const end = at + length + header.bodyLength;
      const whole = end <= bytes.length;
      const block = bytes.subarray(at, Math.min(end, bytes.length));
      if (whole && bodyIsIntact(header, length, block)) {
        const place: Place = { segment, offset: at, length: end - at };
        found.push({ intact: true, header, location: { backendLocation: place } });
        segment.highest.set(group, Math.max(number, segment.highest.get(group) ?? 0));
        at = end;
      } else {
        found.push({ intact: false, group, number, torn: !whole || hasUnwrittenSector(bytes, at, end) });
        at = whole ? end : bytes.length;
      }
      gapFrom = at;
    }
    if (gapFrom >= bytes.length) return 'none';
    return looksTorn(bytes, gapFrom) ? 'torn' : 'damaged';
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }
}

interface Place {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

/**
 * Part of an appended block that never reached the disk reads as zeros. A whole sector of them says that
 * its write did not come to its end.
 */
function hasUnwrittenSector(bytes: Buffer, from: number, to: number): boolean {
  const firstSector = from - (from % SECTOR_BYTES);
  for (let sector = firstSector; sector < to; sector += SECTOR_BYTES) {
    const part = bytes.subarray(Math.max(sector, from), Math.min(sector + SECTOR_BYTES, to));
    if (part.length > 0 && part.every((byte) => byte === 0)) return true;
  }
  return false;
}

/** A header cut short by the end of the file, or with a sector that was never written. */
function looksTorn(bytes: Buffer, from: number): boolean {
  const rest = bytes.subarray(from);
  const begins = rest.length < blockMagic.length || rest.subarray(0, blockMagic.length).equals(blockMagic);
  return hasUnwrittenSector(bytes, from, bytes.length) || (begins && parseHeaderCutShort(rest));
}

/** Fewer bytes than the header says it has, or than any header has. */
function parseHeaderCutShort(rest: Buffer): boolean {
  return rest.length < 104 || rest.readUInt32LE(8) > rest.length;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
