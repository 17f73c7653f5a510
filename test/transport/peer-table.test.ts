import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Peer } from '../../src/transport/contract.ts';
import { PeerTable } from '../../src/transport/peer-table.ts';

const peer = fc.record({
  id: fc.constantFrom('a', 'b'),
  incarnation: fc.constantFrom('x', 'y', null),
  address: fc.constantFrom('1', '2', '3'),
});

/** The rule of `send`, word by word. */
function naiveFind(peers: readonly Peer[], id: string, incarnation: string | null): Peer | undefined {
  const named = peers.filter((one) => one.id === id);
  if (incarnation === null) return named[0];
  return (
    named.find((one) => one.incarnation === incarnation) ?? named.find((one) => one.incarnation === null)
  );
}

describe('the table of peers', () => {
  it('finds whom the rule says, in every list', () => {
    const table = new PeerTable();
    fc.assert(
      fc.property(fc.array(peer, { maxLength: 6 }), (peers) => {
        table.set(peers);
        for (const id of ['a', 'b', 'c']) {
          for (const incarnation of ['x', 'y', 'z', null]) {
            expect(table.find({ id, incarnation })).toEqual(naiveFind(peers, id, incarnation));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('tells a list that it has from another in any one thing', () => {
    const table = new PeerTable();
    const list: Peer[] = [
      { id: 'a', incarnation: 'x', address: '1' },
      { id: 'b', incarnation: null, address: '2' },
    ];
    const changedFrom = (change: readonly Peer[]): boolean => {
      table.set(list);
      expect(table.set(list.map((one) => ({ ...one })))).toBe(false);
      return table.set(change);
    };
    expect(new PeerTable().set([])).toBe(false);
    expect(changedFrom([])).toBe(true);
    expect(changedFrom(list.slice(1))).toBe(true);
    expect(changedFrom([...list].reverse())).toBe(true);
    for (const change of [{ id: 'c' }, { incarnation: 'y' }, { incarnation: null }, { address: '3' }]) {
      const [first, ...rest] = list;
      if (first !== undefined) expect(changedFrom([{ ...first, ...change }, ...rest])).toBe(true);
    }
  });
});
