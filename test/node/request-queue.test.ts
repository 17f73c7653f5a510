import { describe, expect, it } from 'vitest';
import { NotLeader, OutcomeUnknown, Overloaded, ProposalDropped, ReadFailed } from '../../src/node/errors.ts';
import { PendingRequests } from '../../src/node/pending-requests.ts';
import { RequestQueue } from '../../src/node/request-queue.ts';
import type { Proposal, ProposeResult } from '../../src/raft/raft.ts';
import { ManualClock } from './manual-clock.ts';

const bytes = (n: number): Uint8Array => new Uint8Array([n]);

function setUp(pendingMax = 10, query: (q: string) => string = (q) => `answer to ${q}`) {
  const clock = new ManualClock();
  const pending = new PendingRequests();
  const queue = new RequestQueue<string, string, string>(
    clock,
    { timeoutMs: 100, pendingMax },
    pending,
    query,
  );
  const batches: (readonly Proposal[])[] = [];
  let next = 1;
  const flush = (refuse?: 'not-leader' | 'overloaded'): void =>
    queue.flush(
      (batch): ProposeResult => {
        if (refuse !== undefined) return { accepted: false, reason: refuse };
        batches.push(batch);
        const from = next;
        next += batch.length;
        return { accepted: true, term: 1, from };
      },
      (reason) => (reason === 'not-leader' ? new NotLeader(null) : new Overloaded('full')),
    );
  const apply = (index: number, result?: string): void =>
    pending.onApplied({ kind: 'noop', index, term: 1 }, result);
  return { clock, queue, batches, flush, apply };
}

describe('the requests of one turn', () => {
  it('become one batch, in order, with one barrier for all reads at the end', async () => {
    const { queue, batches, flush, apply } = setUp();
    const first = queue.propose(bytes(1), {});
    const reads = [queue.read('x', {}), queue.read('y', {})];
    const second = queue.propose(bytes(2), {});
    flush();
    expect(batches).toEqual([
      [{ kind: 'command', payload: bytes(1) }, { kind: 'command', payload: bytes(2) }, { kind: 'noop' }],
    ]);
    apply(1, 'one');
    apply(2, 'two');
    apply(3);
    expect(await Promise.all([first, second, ...reads])).toEqual([
      'one',
      'two',
      'answer to x',
      'answer to y',
    ]);
    expect(queue.unsettled).toBe(0);
  });

  it('all hear of a refusal', async () => {
    const { queue, flush } = setUp();
    const proposal = queue.propose(bytes(1), {});
    const read = queue.read('x', {});
    flush('not-leader');
    await expect(proposal).rejects.toBeInstanceOf(NotLeader);
    await expect(read).rejects.toBeInstanceOf(NotLeader);
  });

  it('beyond the bound are refused at once, and taken again when some have settled', async () => {
    const { queue, flush, apply } = setUp(2);
    const taken = [queue.propose(bytes(1), {}), queue.propose(bytes(2), {})];
    await expect(queue.propose(bytes(3), {})).rejects.toBeInstanceOf(Overloaded);
    await expect(queue.read('x', {})).rejects.toBeInstanceOf(Overloaded);
    flush();
    apply(1, 'one');
    apply(2, 'two');
    await Promise.all(taken);
    const again = queue.propose(bytes(4), {});
    flush();
    apply(3, 'three');
    expect(await again).toBe('three');
  });
});

describe('a core that throws', () => {
  it('leaves the outcome of what it was given unknown, at once', async () => {
    const { queue } = setUp();
    const proposal = queue.propose(bytes(1), {});
    const broken = (): never => {
      throw new Error('broken');
    };
    expect(() => queue.flush(broken, () => new Error('refused'))).toThrow('broken');
    await expect(proposal).rejects.toMatchObject({
      code: 'KONTIKI_OUTCOME_UNKNOWN',
      cause: { message: 'broken' },
    });
    expect(queue.unsettled).toBe(0);
  });
});

describe('giving up', () => {
  it('before the log took it, a proposal surely has no effect and is not proposed', async () => {
    const { clock, queue, batches, flush } = setUp();
    const proposal = queue.propose(bytes(1), { timeoutMs: 5 });
    clock.advance(5);
    await expect(proposal).rejects.toBeInstanceOf(ProposalDropped);
    flush();
    expect(batches).toEqual([]);
  });

  it('after the log took it, the outcome is unknown', async () => {
    const { clock, queue, flush } = setUp();
    const proposal = queue.propose(bytes(1), {});
    flush();
    clock.advance(99);
    expect(queue.unsettled).toBe(1);
    clock.advance(1);
    await expect(proposal).rejects.toBeInstanceOf(OutcomeUnknown);
  });

  it('by an abort tells the same, with the reason as cause', async () => {
    const { queue, flush } = setUp();
    const controller = new AbortController();
    const proposal = queue.propose(bytes(1), { signal: controller.signal });
    const read = queue.read('x', { signal: controller.signal });
    flush();
    controller.abort(new Error('changed my mind'));
    await expect(proposal).rejects.toMatchObject({
      code: 'KONTIKI_OUTCOME_UNKNOWN',
      cause: { message: 'changed my mind' },
    });
    await expect(read).rejects.toBeInstanceOf(ReadFailed);
    await expect(queue.propose(bytes(2), { signal: controller.signal })).rejects.toBeInstanceOf(
      ProposalDropped,
    );
  });

  it('leaves no timer behind', async () => {
    const { clock, queue, flush, apply } = setUp();
    const proposal = queue.propose(bytes(1), {});
    expect(clock.timersSet).toBe(1);
    flush();
    apply(1, 'one');
    await proposal;
    expect(clock.timersSet).toBe(0);
  });

  it('takes only a positive timeout', async () => {
    const { queue } = setUp();
    for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(queue.propose(bytes(1), { timeoutMs })).rejects.toThrow(
        /timeoutMs: expected a positive number/,
      );
    }
  });
});

describe('a query', () => {
  it('that throws or rejects fails its own read and no other', async () => {
    const { queue, flush, apply } = setUp(10, (q) => {
      if (q === 'bad') throw new Error('no such thing');
      return q;
    });
    const [bad, good] = [queue.read('bad', {}), queue.read('good', {})];
    flush();
    apply(1);
    await expect(bad).rejects.toThrow('no such thing');
    expect(await good).toBe('good');
  });
});
