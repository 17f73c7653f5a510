import { describe, expect, it } from 'vitest';
import { Closed, Overloaded, ReadFailed, type TooStale } from '../../src/node/errors.ts';
import { Instruments } from '../../src/node/instruments.ts';
import { ReadQueue } from '../../src/node/read-queue.ts';
import { ManualClock } from './manual-clock.ts';

function setUp(pendingMax = 10) {
  const clock = new ManualClock();
  const state = {
    index: 5 as number | null,
    query: (q: string): string => {
      if (q === 'bad') throw new Error('no such thing');
      return `${q} at ${state.index}`;
    },
  };
  const asked: { readonly sequence: number; readonly lease: boolean }[] = [];
  const cancelled: number[] = [];
  const core = { boot: 1 as number | null, staleness: 40 as number | null };
  const queue = new ReadQueue<string, string>(
    clock,
    { timeoutMs: 100, pendingMax },
    state,
    {
      requestRead: (lease) => {
        if (core.boot === null) return null;
        asked.push({ sequence: asked.length + 1, lease });
        return { boot: core.boot, sequence: asked.length };
      },
      cancelRead: ({ sequence }) => void cancelled.push(sequence),
      staleness: () => core.staleness,
      whyNotGranted: () => 'no leader is known',
    },
    new Instruments({ id: 'n1', group: 'default' }, clock),
  );
  return { clock, state, queue, asked, cancelled, core };
}

const linearizable = 'linearizable';

describe('reads that are to be linearizable', () => {
  it('share one question a turn, and are answered once what they must see is applied', async () => {
    const { queue, asked, state } = setUp();
    const reads = [queue.read('x', linearizable, {}), queue.read('y', linearizable, {})];
    queue.flush();
    expect(asked).toEqual([{ sequence: 1, lease: false }]);
    queue.granted({ boot: 1, sequence: 1 }, 7);
    state.index = 6;
    queue.look();
    expect(queue.unsettled).toBe(2);
    state.index = 7;
    queue.look();
    expect(await Promise.all(reads)).toEqual(['x at 7', 'y at 7']);
    expect(queue.unsettled).toBe(0);
  });

  it('are granted each by itself: neither by an earlier question nor by a later one', async () => {
    const { queue } = setUp();
    const first = queue.read('first', linearizable, {});
    queue.flush();
    const second = queue.read('second', linearizable, {});
    queue.flush();
    queue.granted({ boot: 1, sequence: 1 }, 5);
    expect(await first).toBe('first at 5');
    expect(queue.unsettled).toBe(1);
    const byLease = queue.read('by lease', 'lease', {});
    queue.flush();
    queue.granted({ boot: 1, sequence: 3 }, 5);
    expect(await byLease).toBe('by lease at 5');
    expect(queue.unsettled).toBe(1);
    queue.granted({ boot: 1, sequence: 2 }, 5);
    expect(await second).toBe('second at 5');
  });

  it('are not granted by an answer that was for another boot', () => {
    const { queue } = setUp();
    const read = queue.read('x', linearizable, {});
    read.catch(() => {});
    queue.flush();
    queue.granted({ boot: 2, sequence: 1 }, 5);
    expect(queue.unsettled).toBe(1);
  });

  it('are asked for anew when the storage was reopened; what was granted stands', async () => {
    const { queue, asked, core, state } = setUp();
    const granted = queue.read('granted', linearizable, {});
    queue.flush();
    queue.granted({ boot: 1, sequence: 1 }, 9);
    core.boot = null;
    const waiting = queue.read('waiting', linearizable, {});
    queue.flush();
    expect(asked).toHaveLength(1);
    core.boot = 2;
    queue.onSessionBegun();
    expect(asked).toHaveLength(2);
    state.index = 9;
    queue.granted({ boot: 2, sequence: 2 }, 9);
    expect(await Promise.all([granted, waiting])).toEqual(['granted at 9', 'waiting at 9']);
  });

  it('are not answered in the middle of a command', async () => {
    const { queue, state } = setUp();
    const read = queue.read('x', linearizable, {});
    queue.flush();
    state.index = null;
    queue.granted({ boot: 1, sequence: 1 }, 5);
    expect(queue.unsettled).toBe(1);
    state.index = 6;
    queue.look();
    expect(await read).toBe('x at 6');
  });

  it('say what they waited for when they give up, and then the question is withdrawn', async () => {
    const { clock, queue, cancelled } = setUp();
    const first = queue.read('x', linearizable, {});
    const second = queue.read('y', linearizable, { timeoutMs: 200 });
    queue.flush();
    clock.advance(100);
    await expect(first).rejects.toThrow(/not finished within 100 ms; no leader is known/);
    await expect(first).rejects.toBeInstanceOf(ReadFailed);
    expect(cancelled).toEqual([]);
    clock.advance(100);
    await expect(second).rejects.toBeInstanceOf(ReadFailed);
    expect(cancelled).toEqual([1]);
    queue.granted({ boot: 1, sequence: 1 }, 5);
    expect(clock.timersSet).toBe(0);
  });

  it('say so when it is the state machine that they waited for', async () => {
    const { clock, queue, cancelled, state } = setUp();
    const behind = queue.read('x', linearizable, {});
    queue.flush();
    queue.granted({ boot: 1, sequence: 1 }, 9);
    clock.advance(100);
    await expect(behind).rejects.toThrow(/up to 9 have to be applied here first, and only 5 are/);
    state.index = null;
    const stuck = queue.read('y', linearizable, {});
    queue.flush();
    queue.granted({ boot: 1, sequence: 2 }, 9);
    const local = queue.read('z', 'local', {});
    queue.flush();
    clock.advance(100);
    await expect(stuck).rejects.toThrow(/a command that has not ended, or a snapshot/);
    await expect(local).rejects.toThrow(/a command that has not ended, or a snapshot/);
    expect(cancelled).toEqual([]);
    state.index = 9;
    queue.look();
    expect(queue.unsettled).toBe(0);
  });

  it('by the thousand, each of a turn of its own, are granted or give up without looking through the others', () => {
    const { queue, cancelled } = setUp(100_000);
    const stops: AbortController[] = [];
    for (let turn = 1; turn <= 20_000; turn += 1) {
      const stop = new AbortController();
      stops.push(stop);
      queue.read('x', linearizable, { signal: stop.signal }).catch(() => {});
      queue.flush();
    }
    for (let turn = 1; turn <= 10_000; turn += 1) queue.granted({ boot: 1, sequence: turn }, turn % 10);
    // Those that wait for an entry above 5 are granted, and not answered.
    expect(queue.unsettled).toBe(14_000);
    for (const stop of stops) stop.abort();
    expect(queue.unsettled).toBe(0);
    expect(cancelled).toHaveLength(10_000);
  }, 20_000);

  it('in one turn give up without looking through the others', () => {
    const { queue, cancelled } = setUp(100_000);
    const stops = Array.from({ length: 50_000 }, () => new AbortController());
    for (const { signal } of stops) queue.read('x', linearizable, { signal }).catch(() => {});
    queue.flush();
    for (const stop of stops) stop.abort();
    expect(queue.unsettled).toBe(0);
    expect(cancelled).toEqual([1]);
  }, 20_000);

  it('may be answered by anything that has a then, and count until it has settled', async () => {
    const { queue, state } = setUp();
    const settle: ((answer: string) => void)[] = [];
    state.query = () =>
      // biome-ignore lint/suspicious/noThenProperty: what is tested.
      ({ then: (yes: (answer: string) => void) => void settle.push(yes) }) as unknown as string;
    const read = queue.read('x', linearizable, {});
    queue.flush();
    queue.granted({ boot: 1, sequence: 1 }, 5);
    expect(queue.unsettled).toBe(1);
    settle[0]?.('late');
    expect(queue.unsettled).toBe(0);
    expect(await read).toBe('late');
  });

  it('beyond the bound are refused at once', async () => {
    const { queue } = setUp(1);
    const taken = queue.read('x', linearizable, {});
    await expect(queue.read('y', linearizable, {})).rejects.toBeInstanceOf(Overloaded);
    queue.failAll(new Closed());
    await expect(taken).rejects.toBeInstanceOf(Closed);
    const again = queue.read('z', 'local', {});
    queue.flush();
    expect(await again).toBe('z at 5');
  });

  it('that the state machine fails fail alone', async () => {
    const { queue } = setUp();
    const [bad, good] = [queue.read('bad', linearizable, {}), queue.read('good', linearizable, {})];
    queue.flush();
    queue.granted({ boot: 1, sequence: 1 }, 5);
    await expect(bad).rejects.toThrow('no such thing');
    expect(await good).toBe('good at 5');
  });
});

describe('reads by a lease', () => {
  it('ask a question of their own, that says so', () => {
    const { queue, asked } = setUp();
    for (const consistency of [linearizable, 'lease', 'lease'] as const) {
      queue.read('x', consistency, {}).catch(() => {});
    }
    queue.flush();
    expect(asked.map(({ lease }) => lease)).toEqual([false, true]);
  });
});

describe('local reads', () => {
  it('ask nobody', async () => {
    const { queue, asked, core } = setUp();
    core.boot = null;
    core.staleness = null;
    const read = queue.read('x', 'local', {});
    queue.flush();
    expect(await read).toBe('x at 5');
    expect(asked).toEqual([]);
  });

  it('with a bound are refused unless that much is proven', async () => {
    const { queue, core } = setUp();
    const outcome = async (maxStalenessMs: number): Promise<string> => {
      const read = queue.read('x', 'local', { maxStalenessMs });
      queue.flush();
      return read.catch((error: TooStale) => `${error.code} ${error.provenMs}`);
    };
    expect(await outcome(40)).toBe('x at 5');
    expect(await outcome(39)).toBe('KONTIKI_TOO_STALE 40');
    core.staleness = null;
    expect(await outcome(1_000_000)).toBe('KONTIKI_TOO_STALE null');
  });

  it('take a bound that makes sense, and no other read takes one', async () => {
    const { queue } = setUp();
    for (const maxStalenessMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(queue.read('x', 'local', { maxStalenessMs })).rejects.toThrow(/milliseconds from 0/);
    }
    await expect(queue.read('x', linearizable, { maxStalenessMs: 5 })).rejects.toThrow(/local reads only/);
  });
});
