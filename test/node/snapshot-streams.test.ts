import { describe, expect, it } from 'vitest';
import { SnapshotContent } from '../../src/node/snapshot-content.ts';
import { SnapshotReceiver } from '../../src/node/snapshot-receiver.ts';
import { SnapshotSource } from '../../src/node/snapshot-source.ts';
import { emptyConfiguration } from '../../src/raft/configuration.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import type { SnapshotStorage } from '../../src/storage/index.ts';
import { memoryStorage, StorageRefused } from '../../src/storage/index.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const at = { index: 7, term: 2, configuration: emptyConfiguration };

async function storageWith(content: string): Promise<{ snapshots: SnapshotStorage; meta: SnapshotMeta }> {
  const snapshots = (await memoryStorage().open({ id: 'n1' })).snapshots('default');
  const meta = await snapshots.write(at, [Buffer.from(content)]);
  return { snapshots, meta };
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string[]> {
  const found: string[] = [];
  for await (const chunk of chunks) found.push(Buffer.from(chunk).toString());
  return found;
}

describe('a stored snapshot on its way to the state machine', () => {
  it('comes in chunks of the wanted size, the last one shorter', async () => {
    const { snapshots, meta } = await storageWith('abcdefgh');
    const content = new SnapshotContent(snapshots, meta, 3);
    expect(await textOf(content.chunks())).toEqual(['abc', 'def', 'gh']);
    await content.finish();
    expect(content.failure).toBeNull();
  });

  it('is checked as a whole, also where its reader stopped early', async () => {
    const { snapshots, meta } = await storageWith('abcdefgh');
    const damaged: Pick<SnapshotStorage, 'read'> = {
      read: async (which, range) => {
        const bytes = Uint8Array.from(await snapshots.read(which, range));
        if (range.offset === 6) bytes[0] = 0;
        return bytes;
      },
    };
    const read = new SnapshotContent(damaged, meta, 3);
    await expect(textOf(read.chunks())).rejects.toThrow(/snapshot of entry 7 is damaged: .* its digest is/);
    const skimmed = new SnapshotContent(damaged, meta, 3);
    for await (const _ of skimmed.chunks()) break;
    await expect(skimmed.finish()).rejects.toBeInstanceOf(StorageRefused);
    for (const { failure } of [read, skimmed]) expect(failure?.error).toBeInstanceOf(StorageRefused);
    const whole = new SnapshotContent(snapshots, meta, 3);
    for await (const _ of whole.chunks()) break;
    await whole.finish();
    expect(whole.failure).toBeNull();
  });

  it('that ends early, or cannot be read, says which', async () => {
    const { snapshots, meta } = await storageWith('abcdefgh');
    const read = (_: SnapshotMeta, range: { offset: number; length: number }) => snapshots.read(meta, range);
    const short = new SnapshotContent({ read }, { ...meta, size: 9 }, 5);
    await expect(textOf(short.chunks())).rejects.toThrow(/but it ends at byte 8/);
    expect(short.failure?.error).toBeInstanceOf(StorageRefused);
    const gone = new SnapshotContent({ read: () => Promise.reject(new Error('EIO')) }, meta, 5);
    await expect(textOf(gone.chunks())).rejects.toThrow('EIO');
    expect(gone.failure).toMatchObject({ error: { message: 'EIO' } });
  });
});

describe('a snapshot of the state machine on its way to the storage', () => {
  it('passes on what the iterator gives, of either kind', async () => {
    expect(await textOf(new SnapshotSource([Buffer.from('a'), Buffer.from('b')]))).toEqual(['a', 'b']);
    async function* slowly() {
      yield Buffer.from('a');
      await turn();
      yield Buffer.from('b');
    }
    expect(await textOf(new SnapshotSource(slowly()))).toEqual(['a', 'b']);
  });

  it('tells a failure of the iterator from one of its reader', async () => {
    const failing = new SnapshotSource(
      (function* () {
        yield Buffer.from('a');
        throw new Error('no more');
      })(),
    );
    await expect(textOf(failing)).rejects.toThrow('no more');
    expect(failing.failure).toMatchObject({ error: { message: 'no more' } });
    let ended = false;
    const left = new SnapshotSource(
      (function* () {
        try {
          yield Buffer.from('a');
          yield Buffer.from('b');
        } finally {
          ended = true;
        }
      })(),
    );
    for await (const _ of left) break;
    expect([left.failure, ended]).toEqual([null, true]);
  });

  it('ends when it is cut off, though the next chunk never comes', async () => {
    const source = new SnapshotSource({
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<Uint8Array>>(() => {}) }),
    });
    const reading = expect(textOf(source)).rejects.toThrow(/not wanted any more/);
    await turn();
    source.cut();
    await reading;
    expect(source.failure).toBeNull();
  });
});

describe('a snapshot that a leader sends', () => {
  const transferId = { boot: 1, sequence: 4 };

  async function receiving() {
    const { meta } = await storageWith('abcdefgh');
    const snapshots = (await memoryStorage().open({ id: 'n2' })).snapshots('default');
    const told: string[] = [];
    const receiver = new SnapshotReceiver(snapshots, {
      written: (_id, offset) => told.push(`written ${offset}`),
      stored: (_id, stored) => told.push(`stored ${stored.index}`),
      failed: (_id, _snapshot, error) => told.push(`failed: ${(error as Error).name}`),
      storageFailed: (error) => told.push(`storage failed: ${(error as Error).message}`),
    });
    const send = (offset: number, text: string, id = transferId, snapshot = meta): void =>
      receiver.receive({
        kind: 'receive-snapshot',
        transferId: id,
        snapshot,
        offset,
        data: Buffer.from(text),
      });
    return { meta, snapshots, told, receiver, send };
  }

  it('is written chunk by chunk, each told of, and shown once it is whole', async () => {
    const { meta, snapshots, told, send } = await receiving();
    send(0, 'abc');
    await turn();
    expect(told).toEqual(['written 3']);
    expect(await snapshots.latest()).toBeNull();
    send(3, 'def');
    await turn();
    send(6, 'gh');
    await turn();
    expect(told).toEqual(['written 3', 'written 6', 'written 8', 'stored 7']);
    expect(await snapshots.latest()).toEqual(meta);
  });

  it('may be empty', async () => {
    const { meta, snapshots, told, send } = await receiving();
    const empty = {
      ...meta,
      size: 0,
      digest: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    };
    send(0, '', transferId, empty);
    await turn();
    expect(told.at(-1)).toBe('stored 7');
    expect(await snapshots.latest()).toEqual(empty);
  });

  it('is refused when it is not what was announced', async () => {
    const { snapshots, told, send } = await receiving();
    send(0, 'abcdefgX');
    await turn();
    expect(told.at(-1)).toBe('failed: SnapshotMismatch');
    expect(await snapshots.latest()).toBeNull();
  });

  it('is forgotten when it is abandoned, and another begins', async () => {
    const { meta, snapshots, told, receiver, send } = await receiving();
    send(0, 'abc');
    await turn();
    receiver.abandon({ boot: 1, sequence: 3 });
    send(3, 'de');
    await turn();
    expect(told).toEqual(['written 3', 'written 5']);
    receiver.abandon(transferId);
    send(5, 'fgh');
    await turn();
    expect(told).toEqual(['written 3', 'written 5']);
    send(0, 'abcdefgh', { boot: 1, sequence: 5 });
    await turn();
    expect(told.slice(2)).toEqual(['written 8', 'stored 7']);
    expect(await snapshots.latest()).toEqual(meta);
  });

  it('leaves a failing disk to the storage', async () => {
    const told: string[] = [];
    const { meta } = await receiving();
    const receiver = new SnapshotReceiver(
      { write: () => Promise.reject(new Error('EIO')) },
      {
        written: () => told.push('written'),
        stored: () => told.push('stored'),
        failed: () => told.push('failed'),
        storageFailed: (error) => told.push((error as Error).message),
      },
    );
    receiver.receive({
      kind: 'receive-snapshot',
      transferId,
      snapshot: meta,
      offset: 0,
      data: Buffer.from('abc'),
    });
    await turn();
    expect(told).toEqual(['EIO']);
  });
});
