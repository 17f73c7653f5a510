import type { Disk, DiskFile } from '../../../doors/disk.ts';
import type { GroupId } from '../../../raft/identity.ts';
import { bufferOf } from '../../buffer-of.ts';
import { bodyIsIntact, type SealedBlock } from '../block.ts';
import { StrayBytes } from '../stray-bytes.ts';
import type { Backend, BlockLocation, Scan, ScannedBlock, ScanOptions } from './backend.ts';
import { HeaderRow } from './header-row.ts';
import { asIndexed, asLost, checkIndexed, type IndexedBlock } from './segment-index.ts';
import { numberIn, SEGMENT_NAME, SegmentIndexes } from './segment-indexes.ts';
import { type SegmentScan, scanSegment } from './segment-scan.ts';
import { persistently } from './unreadable.ts';

interface Segment {
  readonly name: string;
  readonly file: DiskFile;
  size: number;
  /** The highest number it holds of each group, be that block whole or not. */
  readonly highest: Map<GroupId, number>;
  /** Of all its blocks, while they are to become its index; null where there is one, or some of it is no whole block. */
  headers: HeaderRow | null;
  /** It was found with an index, so all of it was synced: nobody writes it again. */
  isIndexed: boolean;
  /** Some of it was changed so that nobody can say whose it was: it stays, as evidence. */
  hasStrayDamage: boolean;
  readonly reads: Set<Promise<unknown>>;
  isDropped: boolean;
}

/**
 * Append-only segment files. Blocks stand one after another, each saying how long it is; one commit is
 * one buffer, one append, one sync. Nothing is ever appended behind an unclean end: the next commit goes
 * to a new segment, so what an interrupted write left is at the end of a file for ever.
 */
export class FilesBackend implements Backend {
  readonly #disk: Disk;
  readonly #directory: string;
  /** What the checksums of this storage's blocks begin with. */
  readonly #seed: number;
  readonly #segmentBytes: number;
  readonly #indexes: SegmentIndexes;
  readonly #segments: Segment[] = [];
  /** Names of files that could not be read: nothing of them is known, and nothing is written to them. */
  readonly #unreadable: string[] = [];
  /** Names of segments that the scan found whole although their indexes are doubted. */
  readonly #wholeAgain: string[] = [];
  readonly #lowest = new Map<GroupId, number>();
  /** Files of removed segments. */
  readonly #closing = new Set<Promise<void>>();
  #lastName = 0;
  #needsSegment = true;
  /** Where the last commit stands, in the last segment that has one; null when there is none, or it is synced for sure. */
  #lastCommit: { readonly segment: Segment; readonly from: number; readonly to: number } | null = null;

  /** @param segmentBytes - a segment that has grown to this is followed by another. */
  constructor(disk: Disk, directory: string, seed: number, segmentBytes: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#seed = seed;
    this.#segmentBytes = segmentBytes;
    this.#indexes = new SegmentIndexes(disk, directory, seed);
  }

  async scan(options: ScanOptions): Promise<Scan> {
    const names = await this.#disk.list(this.#directory);
    const blocks: ScannedBlock[] = [];
    const stray = new StrayBytes();
    const why: string[] = [];
    for (const name of names.filter((one) => SEGMENT_NAME.test(one))) {
      const read = await persistently(() => this.#openSegment(name, options));
      if ('error' in read) {
        this.#unreadable.push(name);
        why.push(`${name} cannot be read, so its blocks are missing: ${read.error.message}`);
        const index = await this.#indexes.find(name, 0);
        if (index === null) stray.pass('damaged');
        else blocks.push(...index.blocks.map(({ header }) => asLost(header)));
        this.#needsSegment = true;
        continue;
      }
      const { segment, found } = read.value;
      this.#segments.push(segment);
      this.#take(segment, found, blocks);
      passThrough(found, stray);
      // One that was indexed was followed by another, lost or not: it never grows again.
      this.#needsSegment = !found.endsClean || segment.headers === null;
    }
    // The index of a segment that is lost keeps its number from being used again too.
    this.#lastName = names.reduce((last, name) => Math.max(last, numberIn(name)), 0);
    return { blocks, stray, unreadable: why.length === 0 ? null : why.join('; ') };
  }

  /**
   * What a scan read may be in the cache only: a killed process leaves unsynced bytes there, and a sync
   * that failed may have marked them as written, so that another sync does nothing. Only the last commit
   * can be like that, since each was synced before the next; writing its bytes again makes them dirty.
   */
  async settle(): Promise<void> {
    if (this.#lastCommit !== null) {
      const { segment, from, to } = this.#lastCommit;
      await segment.file.write(from, await segment.file.read(from, to - from));
      await segment.file.sync();
    }
    await this.#disk.syncDirectory(this.#directory);
    this.#indexes.removeOrphans();
    for (const name of this.#wholeAgain) this.#indexes.trustAgain(name);
    for (const segment of this.#segments.slice(0, -1)) this.#index(segment);
  }

  /** Every file that could not be read; the others stay where they are. */
  async putAside(folder: string): Promise<void> {
    await this.#disk.makeDirectory(folder);
    for (const name of this.#unreadable) await this.#disk.rename(this.#path(name), `${folder}/${name}`);
    await this.#disk.syncDirectory(folder);
    await this.#disk.syncDirectory(this.#directory);
  }

  async append(blocks: readonly SealedBlock[], meanwhile?: () => void): Promise<BlockLocation[]> {
    const segment = this.#growing() ?? (await this.#beginSegment());
    const [only] = blocks;
    const bytes =
      blocks.length === 1 && only !== undefined ? only.bytes : Buffer.concat(blocks.map((b) => b.bytes));
    let offset = segment.size;
    await segment.file.append(bytes);
    const syncing = segment.file.sync();
    const locations = blocks.map(({ bytes: { length } }) => {
      const location = { backendLocation: { segment, offset, length } satisfies Place };
      offset += length;
      return location;
    });
    // Where it fails nothing is appended any more, so that it does not matter what is noted of it.
    segment.size += bytes.length;
    for (const { header, bytes: block } of blocks) {
      segment.highest.set(header.group, header.number);
      segment.headers?.add(header, block);
    }
    meanwhile?.();
    await syncing;
    return locations;
  }

  async read(location: BlockLocation): Promise<Buffer> {
    const { segment, offset, length } = location.backendLocation as Place;
    if (segment.isDropped) throw new Error(`segment ${segment.name} is removed`);
    const reading = segment.file.read(offset, length);
    segment.reads.add(reading);
    try {
      return bufferOf(await reading);
    } finally {
      segment.reads.delete(reading);
    }
  }

  async doubt(location: BlockLocation): Promise<void> {
    const { segment } = location.backendLocation as Place;
    // It has no index to be doubted yet if it is the last, and must not get one by an append that is under way.
    segment.headers = null;
    if (!segment.isDropped) await this.#indexes.doubt(segment.name);
  }

  async dropBelow(group: GroupId, number: number): Promise<void> {
    this.#lowest.set(group, number);
    const isDead = (segment: Segment): boolean =>
      !segment.hasStrayDamage &&
      [...segment.highest].every(([of, highest]) => highest < (this.#lowest.get(of) ?? 0));
    // The last segment stays: appends go there, and its name keeps names from being used twice.
    const dead = this.#segments.slice(0, -1).filter(isDead);
    for (const segment of dead) {
      this.#segments.splice(this.#segments.indexOf(segment), 1);
      segment.isDropped = true;
      this.#closeAfterReads(segment);
      this.#indexes.remove(segment.name);
      await this.#disk.remove(this.#path(segment.name));
    }
    if (dead.length > 0) await this.#disk.syncDirectory(this.#directory);
  }

  /** Every file, whatever happens to the others. */
  async close(): Promise<void> {
    await this.#indexes.idle();
    const closed = await Promise.allSettled([
      ...this.#closing,
      ...this.#segments.splice(0).map(({ file }) => file.close()),
    ]);
    const failed = closed.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  async erase(): Promise<void> {
    for (const name of await this.#disk.list(this.#directory)) {
      if (numberIn(name) > 0) await this.#disk.remove(this.#path(name));
    }
    await this.#disk.syncDirectory(this.#directory);
  }

  /** By its index, where that can be trusted; else by its bytes. */
  async #read(segment: Segment, { isThorough }: ScanOptions): Promise<SegmentScan> {
    const { name, file, size } = segment;
    const index = await this.#indexes.find(name, size);
    if (index === null) {
      const bytes = bufferOf(await file.read(0, size));
      const found = scanSegment(bytes, this.#seed);
      segment.headers = headersOf(found, bytes);
      return found;
    }
    segment.isIndexed = true;
    const { blocks, isDoubted } = index;
    if (!isThorough && !isDoubted && (await this.#holdsConfigurations(segment, blocks)))
      return asIndexed(blocks);
    const found = checkIndexed(blocks, bufferOf(await file.read(0, size)), this.#seed);
    if (isDoubted && found.blocks.every(({ intact }) => intact)) this.#wholeAgain.push(name);
    return found;
  }

  /** They are read while a log is opened, when there is nobody yet who could repair them. */
  async #holdsConfigurations({ file }: Segment, blocks: readonly IndexedBlock[]): Promise<boolean> {
    for (const { header, offset, length } of blocks) {
      if (!header.hasConfiguration) continue;
      if (!bodyIsIntact(header, bufferOf(await file.read(offset, length)))) return false;
    }
    return true;
  }

  /** Once it is followed by another, and all of it is durable. */
  #index(segment: Segment): void {
    const { name, headers, size } = segment;
    if (headers !== null) this.#indexes.keep(name, headers.bytes, size);
    segment.headers = null;
  }

  /** Never under those that read it, since another file may get its descriptor; and no write waits for them. */
  #closeAfterReads({ file, reads }: Segment): void {
    const closing = Promise.allSettled([...reads])
      .then(() => file.close())
      // It holds nothing that anyone needs.
      .catch(() => {})
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #openSegment(name: string, options: ScanOptions): Promise<{ segment: Segment; found: SegmentScan }> {
    const file = await this.#disk.open(this.#path(name));
    try {
      const segment = makeSegment(name, file, await file.size());
      return { segment, found: await this.#read(segment, options) };
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
  }

  #take(segment: Segment, found: SegmentScan, blocks: ScannedBlock[]): void {
    segment.hasStrayDamage = found.strays.some(({ stray }) => stray === 'damaged');
    for (const block of found.blocks) {
      const { group, number } = block.intact ? block.header : block;
      segment.highest.set(group, Math.max(number, segment.highest.get(group) ?? 0));
      if (!block.intact) {
        blocks.push({ intact: false, group, number, torn: block.torn });
        continue;
      }
      const { header, offset, length } = block;
      const place: Place = { segment, offset, length };
      blocks.push({ intact: true, header, location: { backendLocation: place } });
      const from = Math.max(0, offset - header.commitOffset);
      this.#lastCommit = segment.isIndexed ? null : { segment, from, to: offset + length };
    }
  }

  /** The last segment, as long as it may be appended to. */
  #growing(): Segment | null {
    const last = this.#segments.at(-1);
    if (last === undefined || this.#needsSegment || last.size >= this.#segmentBytes) return null;
    return last;
  }

  async #beginSegment(): Promise<Segment> {
    const last = this.#segments.at(-1);
    this.#lastName += 1;
    const name = `${String(this.#lastName).padStart(12, '0')}.blocks`;
    const file = await this.#disk.open(this.#path(name), { create: true, exclusive: true });
    await this.#disk.syncDirectory(this.#directory);
    const segment = makeSegment(name, file, 0);
    segment.headers = new HeaderRow();
    if (last !== undefined) this.#index(last);
    this.#segments.push(segment);
    this.#needsSegment = false;
    return segment;
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }
}

function makeSegment(name: string, file: DiskFile, size: number): Segment {
  const [highest, reads] = [new Map<GroupId, number>(), new Set<Promise<unknown>>()];
  const known = { headers: null, isIndexed: false, hasStrayDamage: false, isDropped: false };
  return { name, file, size, highest, reads, ...known };
}

/** null when some of its bytes are no whole block: it is read each time it is opened. */
function headersOf({ blocks, strays }: SegmentScan, bytes: Buffer): HeaderRow | null {
  const headers = new HeaderRow();
  for (const block of blocks) {
    if (!block.intact) return null;
    headers.add(block.header, bytes.subarray(block.offset, block.offset + block.length));
  }
  return strays.length === 0 ? headers : null;
}

/** In the order of their places. */
function passThrough({ blocks, strays }: SegmentScan, stray: StrayBytes): void {
  const whole = blocks.filter((block) => block.intact);
  let next = 0;
  for (const { offset, stray: kind } of strays) {
    for (; (whole[next]?.offset ?? Number.POSITIVE_INFINITY) < offset; next += 1) {
      stray.passWhole(whole[next]?.header.group ?? '');
    }
    stray.pass(kind);
  }
  for (const { header } of whole.slice(next)) stray.passWhole(header.group);
}

interface Place {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}
