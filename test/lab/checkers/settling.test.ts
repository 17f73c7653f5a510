import { describe, expect, it } from 'vitest';
import { findUnsettled, type SettlingEvidence } from '../../../lab/checkers/settling.ts';
import { History } from '../../../lab/workload/history.ts';

const bounds = { withinMs: 1000, unservedAtMostMs: 300 };

/** One write each 100 ms from 0 to 10,000, answered after 10 ms; those called within `dead` never. */
function served(dead: { readonly fromMs: number; readonly toMs: number } | null = null) {
  const history = new History();
  for (let atMs = 0; atMs < 10_000; atMs += 100) {
    const operation = history.call(1, { kind: 'write', key: 'k1', value: atMs }, atMs);
    if (dead === null || atMs < dead.fromMs || atMs >= dead.toMs) {
      history.ok(operation, { kind: 'write' }, atMs + 10);
    } else history.failed(operation, 'NotLeader', atMs + 50);
  }
  return history.operations;
}

const quiet: SettlingEvidence = {
  changedAtMs: [2000, 6000],
  leaderships: [{ atMs: 100, replica: 'n1', term: 1 }],
  operations: served(),
  untilMs: 10_000,
};
const led = (...moments: number[]) =>
  moments.map((atMs, position) => ({ atMs, replica: 'n2', term: position + 2 }));

describe('leadership settles while faults last', () => {
  it('when one leader stays and serves', () => {
    expect(findUnsettled(quiet, bounds)).toBeNull();
  });

  it('when another comes within the bound of a change, and the cluster is dead meanwhile', () => {
    const operations = served({ fromMs: 2000, toMs: 2900 });
    expect(findUnsettled({ ...quiet, leaderships: led(2999, 6000, 7000), operations }, bounds)).toBeNull();
  });

  it.each([3001, 5999, 7001, 9999])('not when another comes at %i ms', (atMs) => {
    expect(findUnsettled({ ...quiet, leaderships: led(atMs) }, bounds)).toEqual({
      checker: 'settles-within',
      sentence:
        `n2 began to lead term 2 at ${atMs} ms, later than 1000 ms after ` +
        `${atMs < 6000 ? 2000 : 6000} ms, when a fault last struck or ended: leadership did not settle`,
      atMs,
    });
  });

  it('not when nobody is served for longer than allowed, once it should have settled', () => {
    const operations = served({ fromMs: 2000, toMs: 3400 });
    expect(findUnsettled({ ...quiet, operations }, bounds)).toMatchObject({
      checker: 'settles-within',
      sentence: expect.stringContaining('clients waited from 2000 ms to 3410 ms'),
    });
  });

  it('not when it is dead to the end', () => {
    const operations = served({ fromMs: 9000, toMs: 10_000 });
    expect(findUnsettled({ ...quiet, operations }, bounds)).not.toBeNull();
  });

  it('and a stretch shorter than the bound is not judged', () => {
    const evidence = { ...quiet, changedAtMs: [2000, 2900, 3800], leaderships: led(2950, 3700, 4700) };
    expect(findUnsettled(evidence, bounds)).toBeNull();
    expect(findUnsettled({ ...evidence, changedAtMs: [2000, 3800] }, bounds)).not.toBeNull();
  });

  it('and what comes before the first fault is not judged either', () => {
    expect(findUnsettled({ ...quiet, leaderships: led(1900) }, bounds)).toBeNull();
  });
});
