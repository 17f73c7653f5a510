import { describe, expect, it } from 'vitest';
import { OutcomeUnknown, ProposalDropped, ReadFailed } from '../../src/node/errors.ts';
import { PendingRequests } from '../../src/node/pending-requests.ts';
import type { Entry } from '../../src/raft/entry.ts';

const entry = (index: number, term: number): Entry => ({ kind: 'noop', index, term });

function waiter(kind: 'proposal' | 'reads' = 'proposal') {
  const seen: unknown[] = [];
  return {
    seen,
    kind,
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

  it('an overwritten barrier fails its reads, which had no effect', () => {
    const pending = new PendingRequests();
    const w = waiter('reads');
    pending.register(5, 2, w);
    pending.onApplied(entry(5, 3), null);
    expect(w.seen[0]).toBeInstanceOf(ReadFailed);
  });

  it('is left in doubt when nothing more will be learnt', () => {
    const pending = new PendingRequests();
    const [proposal, reads, displaced] = [waiter(), waiter('reads'), waiter()];
    pending.register(5, 2, displaced);
    pending.register(5, 3, proposal);
    pending.register(6, 3, reads);
    pending.failAll('the node was closed');
    expect(proposal.seen[0]).toBeInstanceOf(OutcomeUnknown);
    expect(displaced.seen[0]).toBeInstanceOf(OutcomeUnknown);
    expect(reads.seen[0]).toBeInstanceOf(ReadFailed);
    pending.onApplied(entry(5, 3), 'late');
    expect(proposal.seen).toHaveLength(1);
  });
});
