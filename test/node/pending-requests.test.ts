import { describe, expect, it } from 'vitest';
import { OutcomeUnknown, ProposalDropped } from '../../src/node/errors.ts';
import { PendingRequests } from '../../src/node/pending-requests.ts';
import type { Entry } from '../../src/raft/entry.ts';

const entry = (index: number, term: number): Entry => ({ kind: 'noop', index, term });

function waiter() {
  const seen: unknown[] = [];
  return {
    seen,
    applied: (result: unknown) => void seen.push(result),
    failed: (error: Error) => void seen.push(error),
  };
}

describe('who waits for which entry', () => {
  it('is told the result when that very entry is applied', () => {
    const pending = new PendingRequests();
    const w = waiter();
    pending.register(5, 2, w);
    pending.onApplied(entry(4, 2), 'other');
    expect(w.seen).toEqual([]);
    pending.onApplied(entry(5, 2), 'mine');
    expect(w.seen).toEqual(['mine']);
  });

  it('is dropped when a committed entry of a higher term stands at its index', () => {
    const pending = new PendingRequests();
    const w = waiter();
    pending.register(5, 2, w);
    pending.onApplied(entry(5, 3), 'theirs');
    expect(w.seen).toHaveLength(1);
    expect(w.seen[0]).toBeInstanceOf(ProposalDropped);
  });

  it('is dropped when a committed entry of a higher term stands below its index', () => {
    const pending = new PendingRequests();
    const w = waiter();
    pending.register(7, 2, w);
    pending.onApplied(entry(5, 3), 'theirs');
    expect(w.seen[0]).toBeInstanceOf(ProposalDropped);
  });

  it('is dropped when a later leader committed an entry of a lower term at its index, as all others there', () => {
    const pending = new PendingRequests();
    const [first, second, above] = [waiter(), waiter(), waiter()];
    pending.register(5, 4, first);
    pending.register(5, 6, second);
    pending.register(6, 6, above);
    pending.onApplied(entry(4, 2), 'other');
    expect([first.seen, second.seen]).toEqual([[], []]);
    pending.onApplied(entry(5, 2), 'theirs');
    expect(first.seen[0]).toBeInstanceOf(ProposalDropped);
    expect(second.seen[0]).toBeInstanceOf(ProposalDropped);
    expect(above.seen).toEqual([]);
    pending.onApplied(entry(6, 7), 'theirs');
    expect(above.seen[0]).toBeInstanceOf(ProposalDropped);
    expect([first, second, above].map(({ seen }) => seen.length)).toEqual([1, 1, 1]);
  });

  it('keeps waiting when a committed entry of a higher term stands above its index', () => {
    const pending = new PendingRequests();
    const w = waiter();
    pending.register(5, 2, w);
    pending.onApplied(entry(5, 2), 'mine');
    pending.onApplied(entry(6, 3), 'theirs');
    expect(w.seen).toEqual(['mine']);
  });

  it('tells two proposals of one index and different terms apart', () => {
    const pending = new PendingRequests();
    const [first, second] = [waiter(), waiter()];
    pending.register(5, 2, first);
    pending.register(5, 4, second);
    pending.onApplied(entry(5, 4), 'second');
    expect(second.seen).toEqual(['second']);
    expect(first.seen[0]).toBeInstanceOf(ProposalDropped);
  });

  it('is left in doubt when nothing more will be learnt', () => {
    const pending = new PendingRequests();
    const [proposal, next, displaced] = [waiter(), waiter(), waiter()];
    pending.register(5, 2, displaced);
    pending.register(5, 3, proposal);
    pending.register(6, 3, next);
    pending.failAll('the node was closed');
    expect(proposal.seen[0]).toBeInstanceOf(OutcomeUnknown);
    expect(displaced.seen[0]).toBeInstanceOf(OutcomeUnknown);
    expect(next.seen[0]).toBeInstanceOf(OutcomeUnknown);
    pending.onApplied(entry(5, 3), 'late');
    expect(proposal.seen).toHaveLength(1);
  });

  it('is left in doubt where a snapshot covers the entry, and goes on waiting above it', () => {
    const pending = new PendingRequests();
    const [covered, last, above] = [waiter(), waiter(), waiter()];
    pending.register(5, 2, covered);
    pending.register(6, 2, last);
    pending.register(7, 2, above);
    pending.onRestored({ index: 6, term: 2 });
    expect([covered.seen[0], last.seen[0]].map((seen) => seen instanceof OutcomeUnknown)).toEqual([
      true,
      true,
    ]);
    expect(above.seen).toEqual([]);
    pending.onApplied(entry(7, 2), 'mine');
    expect(above.seen).toEqual(['mine']);
  });

  it('is dropped where a snapshot ends at or below its index with a higher term', () => {
    const pending = new PendingRequests();
    const [at, above, below] = [waiter(), waiter(), waiter()];
    pending.register(6, 2, at);
    pending.register(7, 2, above);
    pending.register(5, 2, below);
    pending.onRestored({ index: 6, term: 3 });
    expect([at.seen[0], above.seen[0]].map((seen) => seen instanceof ProposalDropped)).toEqual([true, true]);
    expect(below.seen[0]).toBeInstanceOf(OutcomeUnknown);
  });
});
