import { drawFates } from './fate.ts';
import { GrowingBytes } from './growing-bytes.ts';
import type { SimulatedRandom } from './random.ts';

/**
 * The bytes of one file, three ways: as programs see them (the page cache), as they surely are on the
 * medium, and the changes between, in order. Only a sync moves changes to the medium for sure.
 */
export class FileContent {
  readonly #cached = new GrowingBytes();
  readonly #durable = new GrowingBytes();
  #unsynced: NumberedChange[] = [];
  #lastChange = 0;
  /** A failed sync dropped changes that the cache still shows. */
  #cacheLies = false;
  /** What the last sync made durable, `to` exclusive. */
  #lastSynced: ByteRange = { from: 0, to: 0 };

  get size(): number {
    return this.#cached.length;
  }

  /** The number of the latest change; a sync covers those up to the one it was called after. */
  get lastChange(): number {
    return this.#lastChange;
  }

  read(offset: number, length: number): Uint8Array {
    return this.#cached.slice(offset, offset + length);
  }

  /** `data` is kept: hand over a copy. */
  write(offset: number, data: Uint8Array): void {
    this.#change({ kind: 'write', offset, data });
  }

  truncate(length: number): void {
    this.#change({ kind: 'resize', length });
  }

  /** Makes durable every change up to this one. */
  sync(upToChange: number): void {
    const later: NumberedChange[] = [];
    let synced: ByteRange | null = null;
    for (const one of this.#unsynced) {
      if (one.number > upToChange) {
        later.push(one);
        continue;
      }
      applyChange(this.#durable, one);
      synced = around(synced, rangeOf(one));
    }
    this.#unsynced = later;
    if (synced !== null) this.#lastSynced = synced;
  }

  /**
   * A failed sync ("fsyncgate"): each change it covered is durable, or still waits, or was dropped and
   * marked clean, so that the cache shows it, a later sync succeeds and the medium never gets it.
   */
  failSync(upToChange: number, random: SimulatedRandom): void {
    const left: NumberedChange[] = [];
    for (const one of this.#unsynced) {
      const outcome = one.number <= upToChange ? random.integer(0, 3) : 0;
      if (outcome === 0) left.push(one);
      else if (outcome === 1) applyChange(this.#durable, one);
      else this.#cacheLies = true;
    }
    this.#unsynced = left;
  }

  /** The cache may be dropped at any time; where it lied, programs now see the truth. */
  maybeEvict(random: SimulatedRandom): void {
    if (!this.#cacheLies || !random.chance(500)) return;
    this.#cached.copyFrom(this.#durable);
    for (const one of this.#unsynced) applyChange(this.#cached, one);
    this.#cacheLies = false;
  }

  /** Power fails: each unsynced change is kept, lost or torn, and the cache is gone. */
  losePower(random: SimulatedRandom): void {
    const fates = drawFates(this.#unsynced.length, random);
    this.#unsynced.forEach((one, i) => {
      if (fates[i] === 'kept') applyChange(this.#durable, one);
      else if (fates[i] === 'torn') tear(this.#durable, one, random);
    });
    this.#unsynced = [];
    this.#cached.copyFrom(this.#durable);
    this.#cacheLies = false;
  }

  /** Flips bits of one byte, in the cache and on the medium. @throws RangeError beyond the end. */
  damage(offset: number, xor: number): void {
    for (const bytes of [this.#cached, this.#durable]) {
      const [byte] = bytes.slice(offset, offset + 1);
      if (byte !== undefined) bytes.write(offset, Uint8Array.of(byte ^ xor));
      else if (bytes === this.#cached) throw new RangeError(`no byte at ${offset} of ${bytes.length}`);
    }
  }

  get durableSize(): number {
    return this.#durable.length;
  }

  /**
   * The medium changes what lies around a durable byte, and every program that reads it sees so: bits flip, or
   * a whole sector reads as zeros. A sector of what the last sync made durable does not: that is how an
   * interrupted write looks, and perhaps nothing else tells of that sync yet (docs/decisions/0005).
   *
   * @returns false when a write that was not synced yet covers the byte: it would change it anyway.
   */
  rot(offset: number, random: SimulatedRandom): boolean {
    const isZeroed = random.chance(300);
    const xor = 1 << random.integer(0, 8);
    const sector = { from: offset - (offset % SECTOR_BYTES), to: 0 };
    sector.to = Math.min(sector.from + SECTOR_BYTES, this.#durable.length);
    if (this.#unsynced.some((one) => overlap(rangeOf(one), { from: offset, to: offset + 1 }))) return false;
    const isOurs = !this.#unsynced.some((one) => overlap(rangeOf(one), sector));
    const bytes = this.#durable.slice(sector.from, sector.to);
    if (isZeroed && isOurs && !overlap(this.#lastSynced, sector) && bytes.some((byte) => byte !== 0)) {
      for (const content of [this.#cached, this.#durable])
        content.write(sector.from, new Uint8Array(bytes.length));
    } else this.damage(offset, xor);
    return true;
  }

  /** No byte of it is what it was. @returns how many there are. */
  rotAll(): number {
    for (const content of [this.#cached, this.#durable]) {
      content.write(
        0,
        content.slice(0, content.length).map((byte) => byte ^ 0xff),
      );
    }
    return this.#durable.length;
  }

  #change(change: Change): void {
    this.#lastChange += 1;
    const numbered = { ...change, number: this.#lastChange };
    applyChange(this.#cached, numbered);
    this.#unsynced.push(numbered);
  }
}

type Change = WriteChange | { readonly kind: 'resize'; readonly length: number };
type WriteChange = { readonly kind: 'write'; readonly offset: number; readonly data: Uint8Array };
type NumberedChange = Change & { readonly number: number };

/** `to` exclusive. */
interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** The bytes that a change is about. */
function rangeOf(change: Change): ByteRange {
  if (change.kind === 'resize') return { from: change.length, to: Number.POSITIVE_INFINITY };
  return { from: change.offset, to: change.offset + change.data.length };
}

function around(one: ByteRange | null, other: ByteRange): ByteRange {
  if (one === null) return other;
  return { from: Math.min(one.from, other.from), to: Math.max(one.to, other.to) };
}

function overlap(one: ByteRange, other: ByteRange): boolean {
  return one.from < other.to && other.from < one.to;
}

function applyChange(bytes: GrowingBytes, change: Change): void {
  if (change.kind === 'write') bytes.write(change.offset, change.data);
  else bytes.resize(change.length);
}

/** A write torn in one of three ways; a cut is one change of metadata and does not tear. */
function tear(bytes: GrowingBytes, change: Change, random: SimulatedRandom): void {
  if (change.kind === 'resize') return;
  const { offset, data } = change;
  const way = random.integer(0, 3);
  if (way === 0) {
    bytes.write(offset, data.subarray(0, random.integer(0, data.length + 1)));
  } else if (way === 1) {
    for (let from = 0; from < data.length; ) {
      const to = Math.min(data.length, from + SECTOR_BYTES - ((offset + from) % SECTOR_BYTES));
      if (random.chance(500)) bytes.write(offset + from, data.subarray(from, to));
      from = to;
    }
  } else if (offset + data.length > bytes.length) {
    // The new size reached the medium and the data did not.
    bytes.resize(offset + data.length);
  }
}

const SECTOR_BYTES = 512;
