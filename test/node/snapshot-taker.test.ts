import { describe, expect, it } from 'vitest';
import { Closed } from '../../src/node/errors.ts';
import { snapshotPolicy } from '../../src/node/snapshot-policy.ts';
import { SnapshotTaker, type SnapshotTakerSession } from '../../src/node/snapshot-taker.ts';
import { emptyConfiguration } from '../../src/raft/configuration.ts';
import { type Entry, entryBytes } from '../../src/raft/entry.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import { SnapshotMismatch } from '../../src/storage/errors.ts';
import { memoryStorage } from '../../src/storage/index.ts';

const entry = (index: number): Entry => ({ kind: 'command', index, term: 1, payload: new Uint8Array(10) });
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A taker over a state that is the index of the last entry, and a core that holds everything applied. */
async function takerOf(
  given: {
    entries?: number;
    bytes?: number;
    keepEntries?: number;
    chunks?: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  } = {},
) {
  const at = { index: 0, midCommand: false };
  const told: string[] = [];
  const { chunks: ownChunks, ...options } = given;
  const chunks = ownChunks ?? (() => [Buffer.from(`state at ${at.index}`)]);
  const taker = new SnapshotTaker(
    chunks,
    snapshotPolicy(options),
    () => at,
    (index, error) => told.push(`failed ${index}: ${(error as Error).message}`),
  );
  const snapshots = (await memoryStorage().open({ id: 'n1' })).snapshots('default');
  const state = { snapshot: null as SnapshotMeta | null, settledIndex: 1_000, restoring: null };
  const session = {
    snapshots,
    core: { state, termAt: () => 1, configurationAt: () => emptyConfiguration },
    taken: (meta: SnapshotMeta, keepFrom: number) => {
      state.snapshot = meta;
      told.push(`taken ${meta.index}, keep from ${keepFrom}`);
    },
    storageFailed: (error: unknown) => told.push(`storage failed: ${(error as Error).message}`),
  };
  const apply = (from: number, to: number): void => {
    for (let index = from; index <= to; index += 1) {
      at.index = index;
      taker.onApplied(entry(index));
    }
  };
  return { taker, at, told, state, apply, snapshots, session: session as unknown as SnapshotTakerSession };
}

/** Chunks that come when the test lets them. */
function gated() {
  const gates: (() => void)[] = [];
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    await new Promise<void>((resolve) => gates.push(resolve));
    yield Buffer.from('half');
  }
  return { chunks, open: () => gates.shift()?.() };
}

describe('taking snapshots', () => {
  it('happens at the very entry that is due, not before it, and tells what is to be kept', async () => {
    const { taker, told, apply, snapshots, session } = await takerOf({ entries: 10, keepEntries: 3 });
    taker.begin(session);
    apply(1, 9);
    await turn();
    expect(told).toEqual([]);
    apply(10, 12);
    await turn();
    expect(told).toEqual(['taken 10, keep from 8']);
    const meta = await snapshots.latest();
    expect(meta).toMatchObject({ index: 10, term: 1 });
    if (meta !== null) {
      expect(Buffer.from(await snapshots.read(meta, { offset: 0, length: 99 })).toString()).toBe(
        'state at 10',
      );
    }
  });

  it('keeps from the first entry where more is to be kept than there is', async () => {
    const { taker, told, apply, session } = await takerOf({ entries: 10, keepEntries: 10 });
    taker.begin(session);
    apply(1, 10);
    await turn();
    expect(told).toEqual(['taken 10, keep from 1']);
  });

  it('happens when the bytes are reached, and counts them anew from there', async () => {
    const bytes = 5 * entryBytes(entry(1));
    const { taker, told, apply, session } = await takerOf({ entries: 1_000, bytes, keepEntries: 0 });
    taker.begin(session);
    for (const index of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) {
      apply(index, index);
      await turn();
    }
    expect(told).toEqual(['taken 5, keep from 6', 'taken 10, keep from 11']);
  });

  it('remembers one that comes due while another is being written, and no more than one', async () => {
    const gate = gated();
    const { taker, told, apply, session } = await takerOf({
      entries: 10,
      keepEntries: 0,
      chunks: gate.chunks,
    });
    taker.begin(session);
    apply(1, 35);
    await turn();
    expect(told).toEqual([]);
    gate.open();
    await turn();
    expect(told).toEqual(['taken 10, keep from 11']);
    gate.open();
    await turn();
    expect(told).toEqual(['taken 10, keep from 11', 'taken 35, keep from 36']);
    gate.open();
    await turn();
    expect(told).toHaveLength(2);
  });

  it('waits for the end of a command that is under way', async () => {
    const gate = gated();
    const { taker, at, told, apply, session } = await takerOf({ entries: 10, chunks: gate.chunks });
    taker.begin(session);
    apply(1, 25);
    await turn();
    at.midCommand = true;
    gate.open();
    await turn();
    expect(told).toEqual(['taken 10, keep from 1']);
    at.midCommand = false;
    apply(26, 26);
    await turn();
    gate.open();
    await turn();
    expect(told).toEqual(['taken 10, keep from 1', 'taken 26, keep from 1']);
  });

  it('is made up for with the next session when the storage went while it was written', async () => {
    const gate = gated();
    const { taker, told, apply, session } = await takerOf({ entries: 10, chunks: gate.chunks });
    taker.begin(session);
    apply(1, 12);
    await turn();
    taker.end();
    await turn();
    expect(told).toEqual([]);
    taker.begin(session);
    await turn();
    gate.open();
    gate.open();
    await turn();
    expect(told).toEqual(['taken 12, keep from 1']);
  });

  it('waits until the log reaches what is applied, after a storage that came back with less', async () => {
    const { taker, told, apply, state, session } = await takerOf({ entries: 10 });
    taker.begin(session);
    state.settledIndex = 9;
    apply(1, 10);
    taker.look();
    await turn();
    expect(told).toEqual([]);
    state.settledIndex = 10;
    taker.look();
    await turn();
    expect(told).toEqual(['taken 10, keep from 1']);
  });

  it('is told of a failing iterator, at its start or later, and goes on', async () => {
    const faults = ['at once', 'later'];
    const chunks = () => {
      const fault = faults.shift();
      if (fault === 'at once') throw new Error(fault);
      return (function* () {
        yield Buffer.from('x');
        if (fault !== undefined) throw new Error(fault);
      })();
    };
    const { taker, told, apply, session } = await takerOf({ entries: 10, chunks });
    taker.begin(session);
    apply(1, 10);
    await turn();
    apply(11, 20);
    await turn();
    apply(21, 30);
    await turn();
    expect(told).toEqual([
      'failed 10: at once',
      'failed 11: later',
      'taken 20, keep from 1',
      'taken 30, keep from 1',
    ]);
  });

  it('is tried again after a failure of the state machine at distances that double, up to the next due', async () => {
    const { taker, told, apply, session } = await takerOf({
      entries: 20,
      chunks: () => {
        throw new Error('no');
      },
    });
    taker.begin(session);
    apply(1, 20);
    for (let turns = 0; turns < 3; turns += 1) {
      taker.look();
      await turn();
    }
    expect(told).toEqual(['failed 20: no']);
    apply(21, 60);
    expect(told).toEqual([20, 21, 23, 27, 35, 40, 60].map((index) => `failed ${index}: no`));
  });

  it('is tried again at the next entry once one succeeded, or a received one took its place', async () => {
    const faults = [true, true, false, true, true, true, false];
    const { taker, told, apply, state, session } = await takerOf({
      entries: 100,
      chunks: () => {
        if (faults.shift() === true) throw new Error('no');
        return [Buffer.from('state')];
      },
    });
    taker.begin(session);
    apply(1, 110);
    await turn();
    expect(told).toEqual(['failed 100: no', 'failed 101: no', 'taken 103, keep from 1']);
    apply(111, 201);
    const received = { ...(state.snapshot as SnapshotMeta), index: 202 };
    taker.onRestored(received);
    apply(203, 310);
    await turn();
    expect(told.slice(3)).toEqual([
      'failed 200: no',
      'failed 201: no',
      'failed 300: no',
      'taken 301, keep from 1',
    ]);
  });

  it('on demand is not tried again when it fails, and takes no due one with it', async () => {
    const { taker, told, apply, session } = await takerOf({
      entries: 10,
      chunks: () => {
        throw new Error('no');
      },
    });
    taker.begin(session);
    apply(1, 5);
    await expect(taker.take()).rejects.toThrow('no');
    apply(6, 10);
    await expect(taker.take()).rejects.toThrow('no');
    apply(11, 12);
    expect(told).toEqual([5, 10, 10, 12].map((index) => `failed ${index}: no`));
  });

  it('leaves the storage alone when another snapshot took its place, and serves who asked with the next', async () => {
    const { taker, told, apply, snapshots, session } = await takerOf({ entries: 1_000 });
    let mismatches = 1;
    const write: typeof snapshots.write = (at, chunks) => {
      mismatches -= 1;
      if (mismatches >= 0) return Promise.reject(new SnapshotMismatch('went as soon as it was there'));
      return snapshots.write(at, chunks);
    };
    taker.begin({ ...session, snapshots: { write } });
    apply(1, 5);
    expect((await taker.take())?.index).toBe(5);
    expect(told).toEqual(['taken 5, keep from 1']);
    apply(6, 6);
    mismatches = 2;
    await expect(taker.take()).rejects.toThrow('went as soon as it was there');
    expect(told.slice(1)).toEqual(['failed 6: went as soon as it was there']);
    expect((await taker.take())?.index).toBe(6);
  });

  it('is done without when another one of a later entry took its place', async () => {
    const { taker, told, apply, state, snapshots, session } = await takerOf({ entries: 10 });
    const later = { index: 12, term: 1, configuration: emptyConfiguration, size: 1, digest: 'd' };
    const write: typeof snapshots.write = () => {
      state.snapshot = later;
      return Promise.reject(new SnapshotMismatch('a floor passed it'));
    };
    taker.begin({ ...session, snapshots: { write } });
    apply(1, 9);
    const asked = taker.take();
    apply(10, 12);
    expect(await asked).toBe(later);
    expect(told).toEqual([]);
  });

  it('takes chunks that are no bytes for a failure of the state machine', async () => {
    const chunks = () => ['text'] as unknown as Uint8Array[];
    const { taker, told, apply, session } = await takerOf({ entries: 10, chunks });
    taker.begin(session);
    apply(1, 10);
    await turn();
    expect(told).toEqual(["failed 10: a snapshot's chunks are Uint8Arrays; found text"]);
  });

  it('survives a policy that throws', async () => {
    const { at, told } = await takerOf();
    const due = (): boolean => {
      throw new Error('no opinion');
    };
    const taker = new SnapshotTaker(
      () => [],
      { due, keepEntries: 0 },
      () => at,
      (index, error) => told.push(`failed ${index}: ${(error as Error).message}`),
    );
    taker.onApplied(entry(1));
    expect(told).toEqual(['failed 1: no opinion']);
  });

  it('tells who asked for one when the node stops, and when a received one takes its place', async () => {
    const gate = gated();
    const { taker, apply, session } = await takerOf({ entries: 10, chunks: gate.chunks });
    taker.begin(session);
    apply(1, 5);
    const first = taker.take();
    apply(6, 6);
    const second = taker.take();
    const received: SnapshotMeta = {
      index: 50,
      term: 2,
      configuration: emptyConfiguration,
      size: 1,
      digest: 'd',
    };
    taker.onRestored(received);
    expect(await second).toBe(received);
    const settled = expect(first).rejects.toBeInstanceOf(Closed);
    taker.stop(new Closed());
    await settled;
  });
});

describe('a snapshot that is damaged', () => {
  it('is replaced by one of the same entry, once, and then by none before it is due', async () => {
    const { taker, told, apply, state, session, snapshots } = await takerOf({ entries: 10, keepEntries: 3 });
    taker.begin(session);
    apply(1, 10);
    await turn();
    state.snapshot = await snapshots.latest();
    taker.look();
    await turn();
    expect(taker.replace()).toEqual({ isNews: true, isPossible: true });
    expect(taker.replace()).toEqual({ isNews: false, isPossible: true });
    await turn();
    taker.look();
    apply(11, 12);
    await turn();
    expect(told).toEqual(['taken 10, keep from 8', 'taken 10, keep from 8']);
  });

  it('serves nobody who waits for one', async () => {
    const { taker, told, apply, state, session, snapshots } = await takerOf({ entries: 10, keepEntries: 3 });
    taker.begin(session);
    apply(1, 10);
    await turn();
    state.snapshot = await snapshots.latest();
    taker.replace();
    expect((await taker.take())?.index).toBe(10);
    expect(told.filter((what) => what === 'taken 10, keep from 8').length).toBeGreaterThan(1);
  });
});

describe('the default policy', () => {
  it('is due at multiples of its entries, and at its bytes, and keeps some', () => {
    const policy = snapshotPolicy();
    const at = (index: number, bytesSince = 0) => policy.due({ index, entriesSince: 1, bytesSince });
    expect([at(9_999), at(10_000), at(10_001), at(20_000)]).toEqual([false, true, false, true]);
    expect([at(1, 64 * 1024 * 1024 - 1), at(1, 64 * 1024 * 1024)]).toEqual([false, true]);
    expect(policy.keepEntries).toBe(1_000);
  });

  it.each([
    [{ entries: 0 }, /- entries: expected a whole number, at least 1, found 0/],
    [{ bytes: 0 }, /- bytes: expected a whole number, at least 1/],
    [{ bytes: 1.5 }, /- bytes: /],
    [{ keepEntries: -1 }, /- keepEntries: expected a whole number, at least 0/],
  ])('refuses %o', (options, expected) => {
    expect(() => snapshotPolicy(options)).toThrow(expected);
    expect(() => snapshotPolicy({ entries: 1, bytes: 1, keepEntries: 0 })).not.toThrow();
  });
});
