import { describe, expect, it } from 'vitest';
import { NotLeader, OutcomeUnknown, Overloaded, ProposalDropped } from '../../src/node/errors.ts';
import { Instruments } from '../../src/node/instruments.ts';
import { PendingRequests } from '../../src/node/pending-requests.ts';
import { ProposalQueue } from '../../src/node/proposal-queue.ts';
import type { Proposal, ProposeResult } from '../../src/raft/raft.ts';
import { ManualClock } from './manual-clock.ts';

const bytes = (n: number): Uint8Array => new Uint8Array([n]);

function setUp(pendingMax = 10) {
  const clock = new ManualClock();
  const pending = new PendingRequests();
  const queue = new ProposalQueue<string>(
    clock,
    { timeoutMs: 100, pendingMax, queuedBytesMax: 10, batchBytesMax: 4 },
    pending,
    new Instruments({ id: 'n1', group: 'default' }, clock),
  );
  const batches: (readonly Proposal[])[] = [];
  const leader = { known: null as { id: string; address: string } | null };
  let next = 1;
  /** The core takes so many batches. */
  const flush = (refuse?: 'not-leader' | 'overloaded' | 'transferring-leadership', takes = 0): void =>
    queue.flush(
      (batch): ProposeResult => {
        if (refuse === 'not-leader' || refuse === 'transferring-leadership') {
          return { accepted: false, reason: refuse };
        }
        if (refuse === 'overloaded' && batches.length >= takes) {
          return { accepted: false, reason: refuse, bound: 'uncommitted-bytes' };
        }
        batches.push(batch);
        const from = next;
        next += batch.length;
        return { accepted: true, term: 1, from };
      },
      (refused) =>
        refused.reason === 'overloaded' ? new Overloaded(refused.bound, 'full') : new NotLeader(leader.known),
    );
  const apply = (index: number, result?: string): void =>
    pending.onApplied({ kind: 'noop', index, term: 1 }, result);
  return { clock, queue, batches, flush, apply, leader };
}

describe('the proposals of one turn', () => {
  it('become one batch, in order', async () => {
    const { queue, batches, flush, apply } = setUp();
    const first = queue.propose(bytes(1), {});
    const second = queue.propose(bytes(2), {});
    flush();
    expect(batches).toEqual([
      [
        { kind: 'command', payload: bytes(1) },
        { kind: 'command', payload: bytes(2) },
      ],
    ]);
    apply(1, 'one');
    apply(2, 'two');
    expect(await Promise.all([first, second])).toEqual(['one', 'two']);
    expect(queue.unsettled).toBe(0);
  });

  it('all hear of a refusal', async () => {
    const { queue, flush } = setUp();
    const proposals = [queue.propose(bytes(1), {}), queue.propose(bytes(2), {})];
    flush('not-leader');
    for (const proposal of proposals) await expect(proposal).rejects.toBeInstanceOf(NotLeader);
  });

  it('wait while leadership is being handed over, and go first after it', async () => {
    const { queue, batches, flush, apply } = setUp();
    const early = queue.propose(bytes(1), {});
    flush('transferring-leadership');
    expect(queue.isEmpty).toBe(false);
    const late = queue.propose(bytes(2), {});
    flush();
    expect(batches).toMatchObject([[{ payload: bytes(1) }, { payload: bytes(2) }]]);
    apply(1, 'one');
    apply(2, 'two');
    expect(await Promise.all([early, late])).toEqual(['one', 'two']);
  });

  it('that would rather wait for a leader are proposed once this replica leads, the others refused', async () => {
    const { queue, batches, flush, apply } = setUp();
    const hasty = queue.propose(bytes(1), {});
    const patient = queue.propose(bytes(2), { whenNoLeader: 'wait' });
    flush('not-leader');
    await expect(hasty).rejects.toBeInstanceOf(NotLeader);
    queue.refuseQueued(new NotLeader(null));
    expect(queue.isEmpty).toBe(false);
    flush();
    expect(batches).toMatchObject([[{ payload: bytes(2) }]]);
    apply(1, 'one');
    expect(await patient).toBe('one');
  });

  it('that would rather wait for a leader hear who it is, or that none came in time', async () => {
    const { clock, queue, flush, leader } = setUp();
    const first = queue.propose(bytes(1), { whenNoLeader: 'wait' });
    flush('not-leader');
    leader.known = { id: 'n2', address: 'n2:1' };
    flush('not-leader');
    await expect(first).rejects.toMatchObject({ code: 'KONTIKI_NOT_LEADER', leader: leader.known });
    leader.known = null;
    const second = queue.propose(bytes(2), { whenNoLeader: 'wait' });
    flush('not-leader');
    clock.advance(100);
    await expect(second).rejects.toBeInstanceOf(ProposalDropped);
    await expect(queue.propose(bytes(3), { whenNoLeader: 'never' as 'wait' })).rejects.toThrow(
      /"fail" or "wait"/,
    );
    expect(queue.unsettled).toBe(0);
  });

  it('that wait for a hand-over in vain were surely not proposed', async () => {
    const { clock, queue, flush, batches } = setUp();
    const proposal = queue.propose(bytes(1), {});
    flush('transferring-leadership');
    clock.advance(100);
    await expect(proposal).rejects.toBeInstanceOf(ProposalDropped);
    flush();
    expect(batches).toEqual([]);
  });

  it('beyond the bound are refused at once, and taken again when some have settled', async () => {
    const { queue, flush, apply } = setUp(2);
    const taken = [queue.propose(bytes(1), {}), queue.propose(bytes(2), {})];
    await expect(queue.propose(bytes(3), {})).rejects.toBeInstanceOf(Overloaded);
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
    flush();
    controller.abort(new Error('changed my mind'));
    await expect(proposal).rejects.toMatchObject({
      code: 'KONTIKI_OUTCOME_UNKNOWN',
      cause: { message: 'changed my mind' },
    });
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

describe('a burst', () => {
  const outcome = (promise: Promise<string>): Promise<string> =>
    promise.then(
      (value) => value,
      (error: unknown) => (error instanceof Overloaded ? error.reason : String(error)),
    );

  it('is handed over in pieces', () => {
    const { queue, batches, flush } = setUp();
    for (const size of [3, 1, 2, 3]) queue.propose(new Uint8Array(size), {}).catch(() => {});
    flush();
    const shape = batches.map((batch) =>
      batch.map((one) => (one.kind === 'noop' ? 'noop' : one.payload.length)),
    );
    expect(shape).toEqual([[3, 1], [2], [3]]);
  });

  it('that is too much as a whole is refused in part, and the part is the last one', async () => {
    const { queue, batches, flush, apply } = setUp();
    const outcomes = [3, 1, 2, 3].map((size) => outcome(queue.propose(new Uint8Array(size), {})));
    flush('overloaded', 1);
    expect(batches).toHaveLength(1);
    apply(1, 'first');
    apply(2, 'second');
    expect(await Promise.all(outcomes)).toEqual([
      'first',
      'second',
      'uncommitted-bytes',
      'uncommitted-bytes',
    ]);
  });

  it('is refused at once beyond what could ever be taken, and one command always fits', async () => {
    const { queue, batches, flush } = setUp();
    outcome(queue.propose(new Uint8Array(50), {}));
    expect(await outcome(queue.propose(new Uint8Array(1), {}))).toBe('queued-bytes');
    flush();
    for (const size of [4, 6]) outcome(queue.propose(new Uint8Array(size), {}));
    expect(await outcome(queue.propose(new Uint8Array(1), {}))).toBe('queued-bytes');
    queue.failQueued(new NotLeader(null));
    void queue.propose(new Uint8Array(10), {});
    flush();
    expect(batches.flat().map((one) => (one.kind === 'noop' ? 0 : one.payload.length))).toEqual([50, 10]);
  });

  it('still counts while leadership is handed over, and no more once it has gone', async () => {
    const { queue, batches, flush } = setUp();
    for (const size of [4, 6]) outcome(queue.propose(new Uint8Array(size), {}));
    flush('transferring-leadership');
    expect(await outcome(queue.propose(new Uint8Array(1), {}))).toBe('queued-bytes');
    flush();
    expect(batches).toHaveLength(2);
    outcome(queue.propose(new Uint8Array(10), {}));
    flush();
    expect(batches).toHaveLength(3);
  });

  it('of callers who give up does not grow what is filed for ever', async () => {
    const { queue, flush, clock, apply } = setUp(3);
    const given = [1, 2, 3].map(() => outcome(queue.propose(bytes(1), {})));
    flush();
    clock.advance(100);
    expect((await Promise.all(given)).every((said) => said.includes('OutcomeUnknown'))).toBe(true);
    expect(queue.unsettled).toBe(0);
    expect(await outcome(queue.propose(bytes(1), {}))).toBe('pending-requests');
    apply(1);
    const next = outcome(queue.propose(bytes(1), {}));
    flush();
    apply(4, 'taken again');
    expect(await next).toBe('taken again');
  });
});
