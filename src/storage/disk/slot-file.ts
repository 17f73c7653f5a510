import type { Disk, DiskFile } from '../../doors/disk.ts';
import { bufferOf } from '../buffer-of.ts';
import { type DecodedRecord, decodeRecord, encodeRecordWithin } from './record.ts';

/** One sector, which a disk writes whole or not at all; a torn one shows by its checksum. */
const SLOT_BYTES = 512;

/** A file of small records in slots of fixed size, each overwritten in place. */
export class SlotFile {
  readonly #file: DiskFile;
  readonly #seed: number;

  private constructor(file: DiskFile, seed: number) {
    this.#file = file;
    this.#seed = seed;
  }

  /** Makes the file when it is missing; the caller syncs the folder. */
  static async open(disk: Disk, path: string, seed: number): Promise<SlotFile> {
    return new SlotFile(await disk.open(path, { create: true }), seed);
  }

  /** Every slot, in order. */
  async readAll(): Promise<DecodedRecord[]> {
    const all = bufferOf(await this.#file.read(0, await this.#file.size()));
    const slots: DecodedRecord[] = [];
    for (let at = 0; at < all.length; at += SLOT_BYTES) {
      slots.push(decodeRecord(all.subarray(at, at + SLOT_BYTES), this.#seed));
    }
    return slots;
  }

  /** Not durable before `sync`. @throws RangeError when the value does not fit. */
  async write(slot: number, value: unknown): Promise<void> {
    await this.writeEncoded(slot, this.encode(value));
  }

  /** What `writeEncoded` takes. @throws RangeError when the value does not fit. */
  encode(value: unknown): Buffer {
    return encodeRecordWithin(SLOT_BYTES, value, this.#seed);
  }

  /** Not durable before `sync`. */
  writeEncoded(slot: number, bytes: Buffer): Promise<void> {
    return this.#file.write(slot * SLOT_BYTES, bytes);
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
