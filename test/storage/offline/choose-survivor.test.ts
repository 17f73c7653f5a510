import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseSurvivor } from '../../../src/storage/offline/choose-survivor.ts';
import { agreementOf, compareLogs, type HeldLog, termHeldAt } from '../../../src/storage/offline/held-log.ts';
import { type OldReplica, playOldCluster, stepOf } from './old-cluster.ts';

/** Terms of the entries 1, 2, ...; a snapshot of the first so many, and a floor not above it. */
function held(terms: readonly number[], snapshotIndex = 0, floorIndex = snapshotIndex): HeldLog {
  const termAt = (index: number): number => terms[index - 1] ?? 0;
  const runs: { term: number; firstIndex: number }[] = [];
  for (let index = floorIndex + 1; index <= terms.length; index += 1) {
    if (runs.at(-1)?.term !== termAt(index)) runs.push({ term: termAt(index), firstIndex: index });
  }
  return {
    snapshot: { index: snapshotIndex, term: termAt(snapshotIndex) },
    floor: { index: floorIndex, term: termAt(floorIndex) },
    runs,
    lastIndex: terms.length,
  };
}

describe('the choice among survivors', () => {
  const cases: [string, HeldLog[], number, [number, number, number][]][] = [
    ['the only one', [held([1, 1])], 0, []],
    ['the longer of one term', [held([1, 1]), held([1, 1, 1])], 1, []],
    ['the one of the later term, though shorter', [held([1, 1, 1]), held([1, 2])], 1, [[0, 2, 3]]],
    ['the first of equals', [held([1, 2]), held([1, 2])], 0, []],
    // The example of `chooseSurvivor`: which entry 2 was committed, if any, nobody can know.
    ['the later where they part, and it is told', [held([1, 2]), held([1, 1])], 0, [[1, 2, 2]]],
    [
      'the one that holds a snapshot, though another is later',
      [held([1, 2, 2]), held([1, 1], 2)],
      1,
      [[0, 3, 3]],
    ],
    ['a longer one that holds the snapshot of another', [held([1, 1], 2), held([1, 1, 2])], 1, []],
    ['a longer one whose floor is above all of another', [held([1]), held([1, 1, 2], 2)], 1, []],
    [
      'one that parted below the snapshot, and lost nothing by it',
      [held([1, 1, 1]), held([1, 2, 3, 3], 3)],
      1,
      [],
    ],
    ['parting behind a floor', [held([1, 1, 1, 1], 2), held([1, 1, 2], 2)], 1, [[0, 3, 4]]],
    ['an empty one beside another', [held([]), held([1])], 1, []],
  ];
  it.each(cases)('is %s', (_what, logs, chosen, leftOut) => {
    const choice = chooseSurvivor(logs);
    expect(choice.chosen).toBe(chosen);
    expect(choice.leftOut.map(({ by, from, to }) => [by, from, to.index])).toEqual(leftOut);
  });
});

/** Entry by entry, without runs. */
function naiveAgreement(log: HeldLog, other: HeldLog): number {
  for (let index = Math.min(log.lastIndex, other.lastIndex); index > 0; index -= 1) {
    const [a, b] = [termHeldAt(log, index), termHeldAt(other, index)];
    if (index <= log.snapshot.index) return log.snapshot.index;
    if (a !== null && a === b) return index;
  }
  return log.snapshot.index;
}

describe('of survivors of random histories', () => {
  const histories = fc
    .record({
      size: fc.constantFrom(3, 5),
      steps: fc.array(stepOf, { minLength: 20, maxLength: 80 }),
      survivors: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 5 }),
    })
    .map(({ size, steps, survivors }) => {
      const cluster = playOldCluster(size, steps);
      const left = [...new Set(survivors.map((one) => one % size))];
      return { size, cluster, left, logs: left.map((one) => logOf(cluster.replicas[one])) };
    });
  const logOf = (replica: OldReplica | undefined): HeldLog =>
    held(replica?.log ?? [], replica?.snapshotIndex, replica?.floorIndex);

  it('one with a snapshot may be older than another, and is chosen: what that snapshot holds was committed', () => {
    const [a, b, c, d, e] = [0, 1, 2, 3, 4];
    const { replicas, committed } = playOldCluster(5, [
      { kind: 'elect', who: c, heard: [a, b, d, e] },
      { kind: 'replicate', to: [a, b, d, e], entries: 1 },
      { kind: 'append', count: 1 },
      { kind: 'elect', who: b, heard: [d, e] },
      { kind: 'elect', who: c, heard: [d, e] },
      { kind: 'replicate', to: [d, e], entries: 2 },
      { kind: 'replicate', to: [a], entries: 1 },
      { kind: 'snapshot', who: a, keep: 0 },
    ]);
    expect(replicas.map(({ log }) => log)).toEqual([
      [1, 1],
      [1, 2],
      [1, 1, 3],
      [1, 1, 3],
      [1, 1, 3],
    ]);
    expect(committed.get(2)).toBe(1);
    const [ofA, ofB] = [logOf(replicas[a]), logOf(replicas[b])];
    expect(compareLogs(ofB, ofA)).toBeGreaterThan(0);
    expect(chooseSurvivor([ofB, ofA])).toEqual({ chosen: 1, leftOut: [] });
  });

  it('the chosen one holds all that a snapshot proves committed, and whatever it lacks is told', () => {
    const seen = { partings: 0, quorums: 0, lostCommitted: 0 };
    fc.assert(
      fc.property(histories, ({ size, cluster, left, logs }) => {
        const { chosen, leftOut } = chooseSurvivor(logs);
        const best = logs[chosen] ?? held([]);
        const full = cluster.replicas[left[chosen] ?? 0]?.log ?? [];
        for (const [position, log] of logs.entries()) {
          expect(agreementOf(best, log)).toBe(naiveAgreement(best, log));
          const { index, term } = log.snapshot;
          if (index > 0) expect(full[index - 1]).toBe(term);
          // Every committed entry that this one held is kept, or is among those that are told.
          const from = leftOut.find(({ by }) => by === position)?.from ?? Number.POSITIVE_INFINITY;
          const own = cluster.replicas[left[position] ?? 0]?.log ?? [];
          for (const [committed, ofTerm] of cluster.committed) {
            if (own[committed - 1] !== ofTerm || committed >= from) continue;
            expect(full[committed - 1]).toBe(ofTerm);
          }
        }
        if (leftOut.length > 0) seen.partings += 1;
        const lost = [...cluster.committed].filter(([index, term]) => full[index - 1] !== term);
        if (lost.length > 0) seen.lostCommitted += 1;
        if (2 * left.length <= size) return;
        // A majority would have elected it.
        seen.quorums += 1;
        expect(lost).toEqual([]);
      }),
      { seed: 4, numRuns: 3_000 },
    );
    // None of this was shown on nothing.
    expect(seen.partings).toBeGreaterThan(50);
    expect(seen.quorums).toBeGreaterThan(500);
    expect(seen.lostCommitted).toBeGreaterThan(50);
  });
});
