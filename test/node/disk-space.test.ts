import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Overloaded, ReadFailed } from '../../src/index.ts';
import { spareOf } from '../../src/node/disk-space.ts';
import { memoryStorage, type Storage, type StorageSpace } from '../../src/storage/index.ts';
import { changedInstance } from './changed-instance.ts';
import { eventually, type Node, Nodes } from './nodes.ts';

const spaceOf = (freeBytes: number): StorageSpace => ({
  directory: '/disk',
  freeBytes,
  reserveBytes: 1_000,
  enoughBytes: 1_500,
  nearlyFull: freeBytes < 1_000,
});

const outcome = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);

/** A storage in memory that says what a test says of its space, and fails when it is told to. */
class BoundedStorage implements Storage {
  freeBytes = 10_000;
  /** What it says last, while it is being closed. */
  freeBytesAtClose: number | null = null;
  fails = false;
  /** Commands that writes brought. */
  commands = 0;
  readonly #storage = memoryStorage();
  #tell: (space: StorageSpace) => void = () => {};

  has(freeBytes: number): void {
    this.freeBytes = freeBytes;
    this.#tell(spaceOf(freeBytes));
  }

  async open(request: Parameters<Storage['open']>[0]): ReturnType<Storage['open']> {
    const instance = await this.#storage.open(request);
    this.#tell = (space) => request.onSpace?.(space);
    this.has(this.freeBytes);
    return changedInstance(instance, {
      closes: () => {
        if (this.freeBytesAtClose !== null) this.has(this.freeBytesAtClose);
        this.#tell = () => {};
      },
      log: (log) => ({
        write: async (write) => {
          if (this.fails) throw new Error('ENOSPC');
          this.commands += write.entries.filter(({ kind }) => kind === 'command').length;
          await log.write(write);
        },
      }),
    });
  }
}

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes();
});
afterEach(() => nodes.close());

const diskOf = (disks: ReadonlyMap<string, BoundedStorage>, id: string): BoundedStorage => {
  const disk = disks.get(id);
  if (disk === undefined) throw new Error(`no disk of ${id}`);
  return disk;
};

async function three(): Promise<{
  readonly disks: ReadonlyMap<string, BoundedStorage>;
  readonly leader: Node;
  readonly followers: Node[];
}> {
  const disks = new Map(['a', 'b', 'c'].map((id) => [id, new BoundedStorage()]));
  const { leader, followers } = await nodes.found([...disks.keys()], (id) => ({
    storage: diskOf(disks, id),
  }));
  return { disks, leader, followers };
}

describe('a node that is closed', () => {
  it('tells nothing any more of its disk', async () => {
    const disk = new BoundedStorage();
    const { leader: node } = await nodes.found(['a'], () => ({ storage: disk }));
    const told: string[] = [];
    node.on('disk-nearly-full', () => told.push('nearly full'));
    disk.freeBytesAtClose = 500;
    await node.close();
    expect(disk.freeBytes).toBe(500);
    expect(told).toEqual([]);
  });
});

describe('the only voter on a disk that is nearly full', () => {
  it('refuses proposals and says why, answers reads, keeps what it has, and goes on with space', async () => {
    const disk = new BoundedStorage();
    const { leader: node } = await nodes.found(['a'], () => ({ storage: disk }));
    await node.propose(1);
    const told: unknown[] = [];
    node.on('disk-nearly-full', (event) => told.push(event));
    node.on('disk-has-space', (event) => told.push(event));
    disk.has(999);
    disk.has(998);
    expect(told).toEqual([
      { ...spaceOf(999), report: expect.stringMatching(/\/disk is nearly full: 999 bytes/) },
    ]);
    expect(node.status().disk).toEqual(spaceOf(998));
    expect(node.metrics()).toMatchObject({
      storage_nearly_full: 1,
      storage_free_bytes: 998,
      storage_reserve_bytes: 1_000,
    });
    const refused = await outcome(node.propose(1));
    expect(refused).toBeInstanceOf(Overloaded);
    expect(refused).toMatchObject({ reason: 'disk-nearly-full', outcomeKnown: true });
    expect((refused as Error).message).toMatch(/nearly full/);
    expect([disk.commands, await node.read('')]).toEqual([1, 1]);
    disk.has(1_500);
    expect(told.at(-1)).toEqual(spaceOf(1_500));
    expect(await node.propose(1)).toBe(2);
    expect(node.metrics()).toMatchObject({ storage_nearly_full: 0 });
  });

  it('has told so also when it is opened there, and leads', async () => {
    const disk = new BoundedStorage();
    disk.freeBytes = 10;
    const { leader: node } = await nodes.found(['a'], () => ({ storage: disk }));
    expect(await outcome(node.propose(1))).toMatchObject({ reason: 'disk-nearly-full' });
  });

  it('tells whoever listens once it is open, and once', async () => {
    const disk = new BoundedStorage();
    disk.freeBytes = 10;
    const node = await nodes.open({ id: 'a', storage: disk });
    const told: unknown[] = [];
    node.on('disk-nearly-full', ({ freeBytes }) => told.push(freeBytes));
    node.on('disk-has-space', ({ freeBytes }) => told.push(freeBytes));
    await eventually(() => told[0]);
    disk.has(9);
    disk.has(2_000);
    expect(told).toEqual([10, 2_000]);
  });

  it('that fails all the same is opened anew, and tells of its space once', async () => {
    const disk = new BoundedStorage();
    const { leader: node } = await nodes.found(['a'], () => ({ storage: disk }));
    await node.propose(1);
    let told = 0;
    node.on('disk-nearly-full', () => {
      told += 1;
    });
    disk.fails = true;
    const reopened = new Promise((resolve) => node.once('storage-reopened', resolve));
    await outcome(node.propose(1, { timeoutMs: 500 }));
    disk.fails = false;
    disk.has(50);
    await reopened;
    disk.has(49);
    await node.waitForLeader();
    expect(await outcome(node.propose(1))).toMatchObject({ reason: 'disk-nearly-full' });
    expect(told).toBe(1);
  });
});

describe('a leader on a disk that is nearly full', () => {
  it('hands over, takes nothing, and follows with all that it had until it has space', async () => {
    const { disks, leader, followers } = await three();
    expect(await leader.propose(1)).toBe(1);
    const disk = diskOf(disks, leader.id);
    const written = disk.commands;
    disk.has(0);
    const next = await eventually(() => followers.find((node) => node.status().role === 'leader'));
    expect(await next.propose(1)).toBe(2);
    expect(await next.propose(1)).toBe(3);
    expect(disk.commands).toBe(written);
    expect(leader.status()).toMatchObject({ role: 'follower', state: 'running' });
    disk.has(10_000);
    await eventually(() => (leader.status().appliedIndex === next.status().appliedIndex ? true : undefined));
  });
});

describe('what may go for the entries that a new leader needs', () => {
  it.each([
    [999, 249],
    [400, 100],
    [0, 0],
    [1_499, 250],
  ])('with %i bytes free of a reserve of 1000 is %i', (freeBytes, spare) => {
    expect(spareOf(spaceOf(freeBytes))).toBe(spare);
  });
});

describe('a follower on a disk that is nearly full', () => {
  it('sends reads of what it does not take elsewhere, at once', async () => {
    const { disks, leader, followers } = await three();
    const [follower] = followers;
    if (follower === undefined) throw new Error('no follower');
    diskOf(disks, follower.id).has(0);
    // More than it takes before its leader knows.
    for (let count = 0; count < 30; count += 1) await leader.propose(1);
    const read = await outcome(follower.read(''));
    expect(read).toBeInstanceOf(ReadFailed);
    expect((read as Error).message).toMatch(/nearly full, so it takes no entries/);
    diskOf(disks, follower.id).has(10_000);
    expect(await follower.read('')).toBe(30);
  });
});

describe('a snapshot when the disk runs full', () => {
  it('is taken where it lets go of more than it needs', async () => {
    const disk = new BoundedStorage();
    const { leader: node } = await nodes.found(['a'], () => ({
      storage: disk,
      snapshots: { keepEntries: 0, due: ({ index }) => index === 3 },
    }));
    for (let count = 0; count < 20; count += 1) await node.propose(1);
    disk.has(0);
    expect(node.status().snapshot?.index).toBe(3);
    disk.has(10_000);
    const taken = new Promise((resolve) => node.once('snapshot-taken', resolve));
    disk.has(999);
    expect(await taken).toMatchObject({ index: node.status().appliedIndex });
  });
});
