import { type BlockHeader, headerLength } from '../block-header.ts';

const ROOM_BYTES = 4096;

/** Headers of blocks as they stand on disk, one after another: copies, since a part would keep all of its block. */
export class HeaderRow {
  #room = Buffer.allocUnsafe(ROOM_BYTES);
  #length = 0;

  /** @param block - its bytes, header first. */
  add({ group, runs }: BlockHeader, block: Buffer): void {
    const header = block.subarray(0, headerLength(group, runs.length));
    const end = this.#length + header.length;
    if (end > this.#room.length) {
      const wider = Buffer.allocUnsafe(Math.max(end, 2 * this.#room.length));
      wider.set(this.bytes);
      this.#room = wider;
    }
    this.#room.set(header, this.#length);
    this.#length = end;
  }

  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length);
  }
}
