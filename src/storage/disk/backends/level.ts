import type { AbstractBatchOptions } from 'abstract-level';
import type { Database, OpenDatabase } from '../../../doors/database.ts';
import type { Disk } from '../../../doors/disk.ts';
import type { GroupId } from '../../../raft/identity.ts';
import { bufferOf } from '../../buffer-of.ts';
import { bodyIsIntact, type SealedBlock } from '../block.ts';
import { parseHeader } from '../block-header.ts';
import { parentOf } from '../parent-of.ts';
import type { StorageDoors } from '../storage-doors.ts';
import { StrayBytes } from '../stray-bytes.ts';
import type { Backend, BlockLocation, Scan, ScannedBlock } from './backend.ts';

/** Frozen: abstract-level copies any other options object for each batch, at thirty times the cost. */
const synced: Readonly<AbstractBatchOptions<Uint8Array, Uint8Array> & { sync: boolean }> = Object.freeze({
  sync: true,
});
const NUMBER_BYTES = 8;
const ERASE_AT_ONCE = 1000;
/** LevelDB keeps what was deleted until it comes to it, which under steady writing is late: it is told each time so much
 * was written. Told more often it would write the rest anew for little. */
const COMPACT_EACH_BYTES = 32 * 1024 * 1024;

/**
 * One LevelDB: the key is group and number, the value the block. LevelDB orders no concurrent batches, so
 * one is under way at a time, and it may drop or bring back records without an error: what must not go
 * back is kept outside of it, and a block that is not what its key says counts as changed.
 */
export class LevelBackend implements Backend {
  readonly #directory: string;
  readonly #disk: Disk;
  readonly #openDatabase: OpenDatabase;
  #database: Database;
  readonly #seed: number;
  /** Of each group, below which it has no blocks. */
  readonly #lowest = new Map<GroupId, number>();
  #bytesSinceCompaction = 0;

  constructor(doors: Pick<StorageDoors, 'disk' | 'openDatabase'>, directory: string, seed: number) {
    this.#directory = directory;
    this.#disk = doors.disk;
    this.#openDatabase = doors.openDatabase;
    this.#database = this.#openDatabase(directory);
    this.#seed = seed;
  }

  async scan(): Promise<Scan> {
    await this.#database.open();
    const blocks: ScannedBlock[] = [];
    for await (const [key, value] of this.#database.iterator()) {
      const named = parseKey(key);
      if (named !== null) blocks.push(this.#judge(named, key, bufferOf(value)));
    }
    return { blocks, stray: new StrayBytes(), unreadable: null };
  }

  /** LevelDB replays its log when it opens, and writes what it found anew. */
  async settle(): Promise<void> {}

  async append(blocks: readonly SealedBlock[], meanwhile?: () => void): Promise<BlockLocation[]> {
    const locations: BlockLocation[] = [];
    const operations = blocks.map(({ header, bytes }) => {
      const key = makeKey(header.group, header.number);
      locations.push({ backendLocation: key });
      this.#bytesSinceCompaction += bytes.length;
      return { type: 'put', key, value: bytes } as const;
    });
    const writing = this.#database.batch(operations, synced);
    meanwhile?.();
    await writing;
    return locations;
  }

  async read(location: BlockLocation): Promise<Buffer> {
    const value = await this.#database.get(location.backendLocation as Uint8Array);
    if (value === undefined) throw new Error('the database has lost the block');
    return bufferOf(value);
  }

  /** Each scan reads everything. */
  async doubt(): Promise<void> {}

  async dropBelow(group: GroupId, number: number): Promise<void> {
    await this.#database.clear({ gte: makeKey(group, 0), lt: makeKey(group, number) });
    this.#lowest.set(group, number);
    if (this.#bytesSinceCompaction < COMPACT_EACH_BYTES) return;
    this.#bytesSinceCompaction = 0;
    for (const [of, lowest] of this.#lowest) {
      await this.#database.compactRange?.(makeKey(of, 0), makeKey(of, lowest));
    }
  }

  /** All of it, and a database that is empty takes its place. LevelDB's own repair brings back what was deleted. */
  async putAside(folder: string): Promise<void> {
    await this.#database.close();
    await this.#disk.rename(this.#directory, folder);
    await this.#disk.makeDirectory(this.#directory);
    await this.#disk.syncDirectory(parentOf(this.#directory));
    this.#database = this.#openDatabase(this.#directory);
    await this.#database.open();
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  async erase(): Promise<void> {
    await this.#database.open();
    let keys: Uint8Array[];
    do {
      keys = await this.#database.keys({ limit: ERASE_AT_ONCE }).all();
      if (keys.length > 0) await this.#database.batch(keys.map(deletion), synced);
    } while (keys.length === ERASE_AT_ONCE);
    await this.#database.close();
  }

  #judge(named: { group: GroupId; number: number }, key: Uint8Array, value: Buffer): ScannedBlock {
    const { group, number } = named;
    const parsed = parseHeader(value, this.#seed);
    const intact =
      parsed.valid &&
      parsed.header.group === group &&
      parsed.header.number === number &&
      bodyIsIntact(parsed.header, value);
    // LevelDB's own log cuts off what was torn: whatever it shows was once written whole.
    if (!intact) return { intact: false, group, number, torn: false };
    return { intact: true, header: parsed.header, location: { backendLocation: key } };
  }
}

const deletion = (key: Uint8Array) => ({ type: 'del', key }) as const;

/** The group, a zero byte, and the number with its highest byte first, so that keys sort by it. */
function makeKey(group: GroupId, number: number): Uint8Array {
  const key = Buffer.alloc(group.length + 1 + NUMBER_BYTES);
  key.write(group, 'latin1');
  key.writeBigUInt64BE(BigInt(number), group.length + 1);
  return key;
}

function parseKey(bytes: Uint8Array): { group: GroupId; number: number } | null {
  const key = bufferOf(bytes);
  const end = key.length - NUMBER_BYTES - 1;
  if (end < 1 || key[end] !== 0) return null;
  return { group: key.toString('latin1', 0, end), number: Number(key.readBigUInt64BE(end + 1)) };
}
