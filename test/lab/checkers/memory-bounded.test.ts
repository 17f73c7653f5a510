import { describe, expect, it } from 'vitest';
import type { WorldObservation } from '../../../lab/checkers/checker.ts';
import { MemoryBounded } from '../../../lab/checkers/memory-bounded.ts';
import { findOverloadNotRefused } from '../../../lab/checkers/overload-refused.ts';
import { History } from '../../../lab/workload/history.ts';
import type { RaftState } from '../../../src/raft/state.ts';
import { Single } from '../../raft/single.ts';

const options = {
  messageBytesMax: 100,
  inflightMessagesMax: 2,
  inflightBytesMax: 200,
  uncommittedBytesMax: 400,
  diskBacklogBytesMax: 400,
  cacheBytesMax: 100,
  applyBytesMax: 100,
};

/** A leader of three under those limits, which was offered far too much. */
function full(): Single {
  const n1 = new Single({ options }).lead();
  n1.hear('n2', { kind: 'AppendEntriesResponse', accepted: true, term: 2, matchIndex: 2, verifiedIndex: 2 });
  for (let count = 0; count < 100; count += 1) {
    n1.core.propose(n1.now, [{ kind: 'command', payload: new Uint8Array(34) }]);
    n1.drain();
  }
  return n1;
}

const seen = (state: RaftState): WorldObservation => ({
  atMs: 5,
  replica: 'n1',
  kind: 'replica',
  observation: { kind: 'step', state },
});
const judge = (state: RaftState, pending = 0): string | null => {
  const checker = new MemoryBounded({ pendingRequestsMax: 7, pendingRequests: () => pending });
  return checker.observe(seen(state))?.sentence ?? null;
};

describe('memory', () => {
  it('is bounded where a leader keeps to its limits, however much it is offered', () => {
    expect(judge(full().state)).toBeNull();
    expect(judge(full().state, 7)).toBeNull();
  });

  it.each<[string, (state: RaftState) => RaftState, string]>([
    [
      'uncommitted entries',
      (state) => ({ ...state, options: { ...state.options, uncommittedBytesMax: 200 } }),
      'n1 holds 400 uncommitted bytes; at most 300 were allowed',
    ],
    [
      'what waits for the disk',
      (state) => ({ ...state, issuedBytes: state.issuedBytes + 101 }),
      'n1 holds 501 bytes that wait for its disk; at most 500 were allowed',
    ],
    [
      'the cache',
      (state) => ({ ...state, log: { ...state.log, bytesBefore: -3000 } }),
      'bytes of cached entries',
    ],
    [
      'the window in messages',
      (state) => ({ ...state, options: { ...state.options, inflightMessagesMax: 1 } }),
      'n1 holds 2 appends under way to n2; at most 1 were allowed',
    ],
    [
      'the window in bytes',
      (state) => ({
        ...state,
        progress: state.progress.map((one) => ({ ...one, inflightBytes: 601 })),
      }),
      'n1 holds 601 bytes under way to n2; at most 600 were allowed',
    ],
  ])('is not when %s grow beyond theirs', (_what, grow, sentence) => {
    expect(judge(grow(full().state))).toContain(sentence);
  });

  it('is not when more requests wait than may', () => {
    expect(judge(full().state, 8)).toBe('n1 holds 8 requests that wait; at most 7 were allowed');
  });
});

describe('an overload', () => {
  const told = (...outcomes: ('ok' | 'Overloaded' | 'timed out')[]): string | null => {
    const history = new History();
    const client = history.call(0, { kind: 'write', key: 'k', value: 0 }, 1);
    history.failed(client, 'Overloaded', 2);
    for (const [value, outcome] of outcomes.entries()) {
      const operation = history.call(2, { kind: 'write', key: 'k', value }, 3);
      if (outcome === 'ok') history.ok(operation, { kind: 'write' }, 4);
      else history.failed(operation, outcome, 4);
    }
    return findOverloadNotRefused(history.operations, 2, 9)?.sentence ?? null;
  };

  it('is refused in part', () => {
    expect(told('ok', 'Overloaded', 'timed out')).toBeNull();
  });

  it.each([
    [['ok', 'timed out'], 'of 2 operations of the overload 0 were refused as overloaded and 1 acknowledged'],
    [['Overloaded'], 'of 1 operations of the overload 1 were refused as overloaded and 0 acknowledged'],
    [[], 'of 0 operations of the overload 0 were refused'],
  ] as const)('is none, or not met, when it ends as %j', (outcomes, sentence) => {
    expect(told(...outcomes)).toContain(sentence);
  });
});
