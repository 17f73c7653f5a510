import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BackupFailed, Closed, type StateMachine, snapshotPolicy } from '../../src/index.ts';
import {
  fileStorage,
  memoryStorage,
  type RestoredCluster,
  restoreBackup,
  type Storage,
} from '../../src/storage/index.ts';
import { changedInstance } from './changed-instance.ts';
import { eventually, type Node, Nodes, Total, truth } from './nodes.ts';

const nodes = new Nodes();
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kontiki-backup-'));
});
afterEach(async () => {
  await nodes.close();
  await rm(directory, { recursive: true, force: true });
});

const alone = { id: 'n1', bootstrap: { members: [{ id: 'n1', address: 'n1' }] } };
const seldom = snapshotPolicy({ entries: 1_000_000 });

async function whole(node: Pick<Node, 'backup'>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of node.backup()) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Restores into a cluster of these members, and opens it on the same network. */
async function restored(
  backup: Buffer,
  ids: readonly string[],
): Promise<{ readonly cluster: RestoredCluster; readonly leader: Node; readonly nodes: readonly Node[] }> {
  const [file, out] = [join(directory, 'backup'), join(directory, 'new')];
  await writeFile(file, backup);
  const members = ids.map((id) => ({ id, address: id }));
  const cluster = await restoreBackup({ backup: file, out, members });
  const opened = await Promise.all(
    ids.map((id) => nodes.open({ id, storage: fileStorage({ directory: join(out, id) }) })),
  );
  const leader = await eventually(() => opened.find((node) => node.status().role === 'leader'));
  return { cluster, leader, nodes: opened };
}

describe('a backup', () => {
  it('makes a cluster of other members that holds what was applied, and goes on from there', async () => {
    const { nodes: old, leader } = await nodes.found(['n1', 'n2', 'n3']);
    for (let i = 0; i < 20; i += 1) await leader.propose(2);
    const before = leader.status();
    const backup = await whole(leader);
    await Promise.all(old.map((node) => node.close()));
    const { cluster, leader: next, nodes: fresh } = await restored(backup, ['m1', 'm2']);
    expect(cluster.backup).toMatchObject({ clusterId: before.clusterId, group: 'default' });
    expect(cluster.clusterId).not.toBe(before.clusterId);
    expect(await next.read('total')).toBe(40);
    expect(await next.propose(2)).toBe(42);
    for (const node of fresh) {
      await eventually(() => truth(node.status().appliedIndex === next.status().appliedIndex));
      const { configuration, clusterId, term } = node.status();
      expect(clusterId).toBe(cluster.clusterId);
      expect(configuration.voters.map(({ id }) => id)).toEqual(['m1', 'm2']);
      expect(term).toBeGreaterThan(before.term);
      expect(before.configuration.voters.map((voter) => voter.incarnation)).not.toContain(
        node.status().incarnation,
      );
    }
  });

  it('holds everything whose proposal had resolved, while more is proposed, and uses a snapshot that covers it', async () => {
    const node = await nodes.open({ ...alone, snapshots: seldom });
    await node.waitForLeader();
    let resolved = 0;
    let proposing = true;
    const writer = (async () => {
      while (proposing) resolved = await node.propose(1);
    })();
    await eventually(() => truth(resolved > 10));
    for (let round = 0; round < 5; round += 1) {
      const atCall = resolved;
      const backup = await whole(node);
      const total = Number(backup.subarray(0, -32).toString('latin1').match(/\d+$/)?.[0]);
      expect(total).toBeGreaterThanOrEqual(atCall);
    }
    proposing = false;
    await writer;
    await whole(node);
    const taken = node.metrics().raft_snapshots_taken_total;
    expect(await whole(node)).toEqual(await whole(node));
    expect(node.metrics().raft_snapshots_taken_total).toBe(taken);
  });

  it.each(['memory', 'files'] as const)(
    'is read to its end although newer snapshots and floors pass it meanwhile (%s)',
    async (kind) => {
      const stateMachine = new Big(3_500_000);
      const storage = kind === 'memory' ? memoryStorage() : fileStorage({ directory: join(directory, 'n1') });
      const counted = countingHolds(storage);
      const node = await nodes.open({
        ...alone,
        storage: counted.storage,
        stateMachine,
        snapshots: snapshotPolicy({ entries: 5, keepEntries: 1 }),
      });
      await node.waitForLeader();
      await node.propose(1);
      const backup = node.backup();
      const pieces = [(await backup.next()).value as Uint8Array];
      const { index } = node.status().snapshot ?? { index: 0 };
      for (let round = 0; round < 4; round += 1) {
        for (let i = 0; i < 5; i += 1) await node.propose(1);
        const next = await backup.next();
        pieces.push(next.value as Uint8Array);
        expect(counted.held).toBe(1);
      }
      await eventually(() => truth((node.status().floorIndex ?? 0) > index + 10));
      for await (const piece of backup) pieces.push(piece);
      expect(counted.held).toBe(0);
      for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(1024 * 1024);
      await node.close();
      const { cluster, leader } = await restored(Buffer.concat(pieces), ['m1']);
      expect(cluster.last.index).toBe(index);
      expect(await leader.read('total')).toBe(1);
    },
  );

  it('that nobody reads to its end lets its snapshot go', async () => {
    const counted = countingHolds(memoryStorage());
    const node = await nodes.open({ ...alone, storage: counted.storage, stateMachine: new Big(5_000_000) });
    await node.waitForLeader();
    await node.propose(1);
    for await (const _ of node.backup()) {
      expect(counted.held).toBe(1);
      break;
    }
    expect(counted.held).toBe(0);
    const cut = pipeline(
      Readable.from(node.backup()),
      async function* (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        for await (const piece of pieces) {
          yield piece;
          throw new Error('the disk is full');
        }
      },
      createWriteStream(join(directory, 'backup')),
    );
    await expect(cut).rejects.toThrow('the disk is full');
    await eventually(() => truth(counted.held === 0));
    // Never begun, it holds nothing.
    await node.backup().return(undefined);
    expect(counted.held).toBe(0);
  });

  it('reads no more than what was asked for', async () => {
    const counted = countingHolds(memoryStorage());
    const node = await nodes.open({ ...alone, storage: counted.storage, stateMachine: new Big(5_000_000) });
    await node.waitForLeader();
    await node.propose(1);
    const backup = node.backup();
    await backup.next();
    expect(counted.reads).toBe(0);
    await backup.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(counted.reads).toBe(1);
    await backup.return(undefined);
  });
});

describe('a backup that cannot be taken', () => {
  it('of a state machine without snapshot is refused', async () => {
    const stateMachine: StateMachine<number, number, string, number> = {
      apply: (amount) => amount,
      query: () => 0,
    };
    const node = await nodes.open({ ...alone, stateMachine });
    await node.waitForLeader();
    await node.propose(1);
    const refused = whole(node);
    await expect(refused).rejects.toThrow(BackupFailed);
    await expect(refused).rejects.toThrow('no snapshot()');
  });

  it('of a replica that applied nothing yet is refused', async () => {
    const members = ['n1', 'n2'].map((id) => ({ id, address: id }));
    const node = await nodes.open({ id: 'n1', bootstrap: { members } });
    await expect(whole(node)).rejects.toThrow('nothing was applied yet');
  });

  it('of a node that is closed, before or meanwhile, ends with that', async () => {
    const node = await nodes.open({ ...alone, stateMachine: new Big(3_000_000) });
    await node.waitForLeader();
    await node.propose(1);
    const backup = node.backup();
    await backup.next();
    await node.close();
    await expect(backup.next()).rejects.toThrow(Closed);
    await expect(backup.next()).resolves.toMatchObject({ done: true });
    await expect(whole(node)).rejects.toThrow(Closed);
  });

  it('passes on what the state machine threw', async () => {
    const stateMachine = new Total();
    stateMachine.snapshot = () => {
      throw new Error('out of memory');
    };
    const node = await nodes.open({ ...alone, stateMachine });
    await node.waitForLeader();
    await node.propose(1);
    await expect(whole(node)).rejects.toThrow('out of memory');
  });

  it.each(['short', 'failing'] as const)(
    'ends in an error, and without its end, on a %s snapshot, and is refused by restore',
    async (fault) => {
      const faults = countingHolds(memoryStorage());
      const node = await nodes.open({ ...alone, storage: faults.storage, stateMachine: new Big(3_000_000) });
      await node.waitForLeader();
      await node.propose(1);
      const pieces: Uint8Array[] = [];
      const reading = (async () => {
        for await (const piece of node.backup()) {
          pieces.push(piece);
          if (pieces.length === 2) faults.fault = fault;
        }
      })();
      await expect(reading).rejects.toThrow(BackupFailed);
      expect(pieces).toHaveLength(2);
      expect(faults.held).toBe(0);
      await expect(restored(Buffer.concat(pieces), ['m1'])).rejects.toThrow('not written to its end');
    },
  );
});

/** A Total whose snapshot is long: its digits, then as many zeros behind a point. */
class Big extends Total {
  readonly #size: number;

  constructor(size: number) {
    super();
    this.#size = size;
  }

  override snapshot(): Iterable<Uint8Array> {
    return [Buffer.from(`${this.total}.`.padEnd(this.#size, '0'))];
  }
}

/** Counts what is asked of a storage's snapshots, and reads as badly as it is told to. */
function countingHolds(storage: Storage): {
  readonly storage: Storage;
  held: number;
  reads: number;
  fault: 'none' | 'short' | 'failing';
} {
  const counted: ReturnType<typeof countingHolds> = {
    held: 0,
    reads: 0,
    fault: 'none',
    storage: {
      async open(request) {
        return changedInstance(await storage.open(request), {
          snapshots: (snapshots) => ({
            read: async (meta, range) => {
              counted.reads += 1;
              if (counted.fault === 'short') return new Uint8Array(0);
              if (counted.fault === 'failing') throw new Error('EIO');
              return snapshots.read(meta, range);
            },
            hold: async (meta) => {
              const release = await snapshots.hold(meta);
              counted.held += 1;
              let isHeld = true;
              return () => {
                if (isHeld) counted.held -= 1;
                isHeld = false;
                release();
              };
            },
          }),
        });
      },
    },
  };
  return counted;
}
