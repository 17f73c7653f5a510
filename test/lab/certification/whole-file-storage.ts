import { deserialize, serialize } from 'node:v8';
import { sha256 } from '../../../src/doors/digest.ts';
import type { Disk } from '../../../src/doors/disk.ts';
import type {
  LogStorage,
  SnapshotStorage,
  Storage,
  StorageDoors,
  StorageInstance,
  WriteRequest,
} from '../../../src/storage/index.ts';
import { memoryStorage, StorageRefused } from '../../../src/storage/index.ts';

type Place = Parameters<SnapshotStorage['write']>[0];
type Event =
  | { readonly kind: 'adopt'; readonly clusterId: string }
  | { readonly kind: 'write'; readonly group: string; readonly request: WriteRequest }
  | { readonly kind: 'snapshot'; readonly group: string; readonly at: Place; readonly content: Uint8Array };

interface State {
  readonly incarnation: string;
  readonly boot: number;
  readonly events: readonly Event[];
}

/**
 * The durable twin of the memory storage, as slow as it is plain: everything that ever happened is one file, which
 * each event replaces as a whole. It stands for a storage that somebody else wrote.
 */
export function wholeFileStorage({ disk, random }: Pick<StorageDoors, 'disk' | 'random'>): Storage {
  return {
    open: async (request) => {
      await disk.makeDirectory('/data');
      await disk.syncDirectory('/');
      await disk.lock('/data');
      const names = await disk.list('/data');
      const isUsed = names.includes('used');
      if (isUsed && !names.includes('state')) throw new StorageRefused('damaged', 'the state is missing');
      const incarnation = Buffer.from(random.bytes(8)).toString('hex');
      const found = names.includes('state') ? await load(disk) : { incarnation, boot: 0, events: [] };
      const file = new StateFile(disk, { ...found, boot: found.boot + 1 });
      await file.save();
      if (!isUsed) await (await disk.open('/data/used', { create: true })).close();
      await disk.syncDirectory('/data');
      return new Twin(file, await replayed(file.state, request.id));
    },
  };
}

class StateFile {
  state: State;
  readonly #disk: Disk;
  #turn: Promise<void> = Promise.resolve();

  constructor(disk: Disk, state: State) {
    this.#disk = disk;
    this.state = state;
  }

  /** One after another, in the order of the calls. */
  add(event: Event): Promise<void> {
    this.#turn = this.#turn.then(() => {
      this.state = { ...this.state, events: [...this.state.events, event] };
      return this.save();
    });
    return this.#turn;
  }

  async save(): Promise<void> {
    const bytes = serialize(this.state);
    const file = await this.#disk.open('/data/state~', { create: true });
    await file.truncate(0);
    await file.write(0, Buffer.concat([Buffer.from(digestOf(bytes)), bytes]));
    await file.sync();
    await file.close();
    await this.#disk.rename('/data/state~', '/data/state');
    await this.#disk.syncDirectory('/data');
  }
}

async function load(disk: Disk): Promise<State> {
  const file = await disk.open('/data/state');
  const bytes = Buffer.from(await file.read(0, await file.size()));
  await file.close();
  const content = bytes.subarray(64);
  if (bytes.toString('latin1', 0, 64) === digestOf(content)) return deserialize(content);
  throw new StorageRefused('damaged', 'the state has another digest than was written');
}

/** A memory storage to which all of it happened once more. */
async function replayed({ incarnation, events }: State, id: string): Promise<StorageInstance> {
  const bytes = (): Uint8Array => Buffer.from(incarnation, 'hex');
  const storage = memoryStorage({ random: { bytes, integer: (from) => from } });
  const instance = await storage.open({ id });
  const logs = new Map<string, LogStorage>();
  for (const event of events) {
    if (event.kind === 'adopt') await instance.adoptCluster(event.clusterId);
    else if (event.kind === 'snapshot')
      await instance.snapshots(event.group).write(event.at, [event.content]);
    else {
      const log = logs.get(event.group) ?? (await instance.openLog(event.group));
      logs.set(event.group, log);
      await log.write(event.request);
    }
  }
  await instance.close();
  return storage.open({ id });
}

class Twin implements StorageInstance {
  readonly failed = new Promise<never>(() => {});
  readonly #file: StateFile;
  readonly #memory: StorageInstance;

  constructor(file: StateFile, memory: StorageInstance) {
    this.#file = file;
    this.#memory = memory;
  }

  get identity() {
    return { ...this.#memory.identity, boot: this.#file.state.boot };
  }

  async adoptCluster(clusterId: string): Promise<void> {
    await this.#file.add({ kind: 'adopt', clusterId });
    await this.#memory.adoptCluster(clusterId);
  }

  async openLog(group: string): Promise<LogStorage> {
    const log = await this.#memory.openLog(group);
    return {
      recovered: log.recovered,
      read: (range) => log.read(range),
      termAt: (index) => log.termAt(index),
      repair: (entries) => log.repair(entries),
      write: async (request) => {
        await this.#file.add({ kind: 'write', group, request });
        await log.write(request);
      },
    };
  }

  snapshots(group: string): SnapshotStorage {
    const memory = this.#memory.snapshots(group);
    return {
      ...memory,
      write: async (at, chunks, expected) => {
        const parts: Uint8Array[] = [];
        for await (const chunk of chunks) parts.push(chunk);
        const content = Buffer.concat(parts);
        await this.#file.add({ kind: 'snapshot', group, at, content });
        return memory.write(at, [content], expected);
      },
    };
  }

  stats() {
    return this.#memory.stats();
  }

  close(): Promise<void> {
    return this.#memory.close();
  }
}

function digestOf(bytes: Uint8Array): string {
  const digest = sha256();
  digest.update(bytes);
  return digest.finish();
}
