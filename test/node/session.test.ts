import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../src/doors/node-clock.ts';
import { nodeRandom } from '../../src/doors/node-random.ts';
import { Applier } from '../../src/node/applier.ts';
import { msgpackCodec } from '../../src/node/command-codec.ts';
import { Retired, StateMachineFailed } from '../../src/node/errors.ts';
import { PendingRequests } from '../../src/node/pending-requests.ts';
import { openSession } from '../../src/node/session.ts';
import { AppliedSessions } from '../../src/node/sessions/applied-sessions.ts';
import { SnapshotContent } from '../../src/node/snapshot-content.ts';
import { emptyConfiguration } from '../../src/raft/configuration.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import { memoryStorage } from '../../src/storage/index.ts';
import { emptyHead } from './sessions/snapshot-bytes.ts';

const at = (index: number) => ({ index, term: 1, configuration: emptyConfiguration });

/** A state machine at entry `applied`, into which a later snapshot was restored but for its end. */
async function tornAfter(applied: number) {
  const machine = {
    state: 'none',
    apply: () => undefined,
    async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
      this.state = '';
      for await (const chunk of chunks) this.state += Buffer.from(chunk).toString();
    },
  };
  const applier = new Applier<unknown, unknown>(
    machine,
    msgpackCodec(),
    new PendingRequests(),
    new AppliedSessions(msgpackCodec()),
    () => {},
  );
  for (let index = 1; index <= applied; index += 1) applier.apply([{ kind: 'noop', index, term: 1 }]);
  const gone = new Error('the disk is gone');
  const half = Buffer.concat([emptyHead, Buffer.from('half')]);
  const read = (_: unknown, { offset }: { offset: number }): Promise<Uint8Array> =>
    offset === 0 ? Promise.resolve(half) : Promise.reject(gone);
  const meta = { ...at(9), size: half.length + 4, digest: '' };
  await expect(applier.restore(meta, new SnapshotContent({ read }, meta, half.length))).rejects.toBe(gone);
  expect([machine.state, applier.appliedIndex]).toEqual(['half', applied]);
  return { machine, applier };
}

const settings = {
  id: 'n1',
  group: 'default',
  raft: defaultRaftOptions,
  clock: nodeClock(),
  random: nodeRandom(),
};

async function storageWithSnapshotAt(index: number) {
  const storage = memoryStorage();
  const instance = await storage.open({ id: 'n1' });
  await instance.snapshots('default').write(at(index), [emptyHead, Buffer.from(`state at ${index}`)]);
  await instance.close();
  return storage;
}

describe('a storage that is reopened while the state machine holds a part of a snapshot', () => {
  it.each([3, 5, 9])(
    'restores it from the latest one, of entry %i, wherever it was before',
    async (index) => {
      const { machine, applier } = await tornAfter(5);
      const session = await openSession(await storageWithSnapshotAt(index), settings, applier, null);
      expect(session.restoredFrom?.index).toBe(index);
      expect(session.core.state.appliedIndex).toBe(index);
      expect([machine.state, applier.appliedIndex, applier.isTorn]).toEqual([
        `state at ${index}`,
        index,
        false,
      ]);
      await session.instance.close();
    },
  );

  it('stops without any, and leaves the storage closed', async () => {
    const { applier } = await tornAfter(5);
    const storage = memoryStorage();
    await expect(openSession(storage, settings, applier, null)).rejects.toBeInstanceOf(StateMachineFailed);
    await (await storage.open({ id: 'n1' })).close();
  });

  it('is retired when the cluster forgot the replica whose state that was', async () => {
    const { applier } = await tornAfter(0);
    const storage = await storageWithSnapshotAt(3);
    const instance = await storage.open({ id: 'n1' });
    const { incarnation } = instance.identity;
    await instance.close();
    await expect(openSession(storage, settings, applier, incarnation)).rejects.toBeInstanceOf(Retired);
  });
});

describe('a storage that is reopened while the state machine is whole', () => {
  it('leaves it alone unless the snapshot is ahead of it', async () => {
    for (const [index, restored] of [
      [4, null],
      [5, null],
      [6, 6],
    ] as const) {
      const { machine, applier } = await tornAfter(0);
      const first = await openSession(await storageWithSnapshotAt(5), settings, applier, null);
      await first.instance.close();
      const second = await openSession(await storageWithSnapshotAt(index), settings, applier, null);
      expect(second.restoredFrom?.index ?? null).toBe(restored);
      expect(machine.state).toBe(`state at ${restored ?? 5}`);
      await second.instance.close();
    }
  });
});
