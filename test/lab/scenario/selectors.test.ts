import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseReplacements,
  parseReplicaId,
  parseReplicaIds,
  parseSelector,
  replacementsExpected,
  replicaIdsExpected,
  selectorExpected,
  selectorPattern,
  selectorWords,
} from '../../../lab/scenario/selectors.ts';

describe('a selector', () => {
  it.each([
    ['leader', { kind: 'leader' }],
    ['follower', { kind: 'followers', count: 1 }],
    ['one follower', { kind: 'followers', count: 1 }],
    ['1 follower', { kind: 'followers', count: 1 }],
    ['2 followers', { kind: 'followers', count: 2 }],
    ['all followers', { kind: 'followers', count: 'all' }],
    ['minority', { kind: 'minority' }],
    ['majority', { kind: 'majority' }],
    ['2 random', { kind: 'random', count: 2 }],
    ['one random', { kind: 'random', count: 1 }],
    ['all', { kind: 'all' }],
    ['n1', { kind: 'ids', ids: ['n1'] }],
    ['n12', { kind: 'ids', ids: ['n12'] }],
  ])('%s is understood', (text, selector) => {
    expect(parseSelector(text)).toEqual({ ok: true, value: selector });
    expect(text).toMatch(new RegExp(selectorPattern));
  });

  it('may have spaces around and between its words', () => {
    expect(parseSelector('  2   followers ')).toEqual({ ok: true, value: { kind: 'followers', count: 2 } });
  });

  it('named in a message as an example is one that is understood', () => {
    for (const word of selectorWords) expect(parseSelector(word).ok, word).toBe(true);
  });

  it.each([
    ['leadr', `${selectorExpected}; did you mean leader?`],
    ['Leader', `${selectorExpected}; did you mean leader?`],
    ['folower', `${selectorExpected}; did you mean follower?`],
    ['everyone', selectorExpected],
    ['', selectorExpected],
    ['n0', selectorExpected],
    ['n01', selectorExpected],
    ['0 followers', 'a count of 1 or more'],
    ['0 random', 'a count of 1 or more'],
    ['n1, n3', 'several ids as a list: [n1, n3]'],
    ['n1 n3', 'several ids as a list: [n1, n3]'],
  ])('%j is refused', (text, expected) => {
    expect(parseSelector(text)).toEqual({ ok: false, expected });
  });

  it('never throws, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof parseSelector(text).ok === 'boolean'));
  });
});

describe('a list of replica ids', () => {
  it('is read in its order, and a single one is a list of one', () => {
    expect(parseReplicaIds(['n3', 'n1'])).toEqual({ ok: true, value: ['n3', 'n1'] });
    expect(parseReplicaId(' n3 ')).toEqual({ ok: true, value: ['n3'] });
    expect(parseReplicaId('leader')).toEqual({ ok: false, expected: replicaIdsExpected });
  });

  it.each([
    [[], 'at least one replica id, such as [n1]'],
    [['n1', 'leader'], 'a list of replica ids such as [n1, n3]; "leader" is none'],
    [['n1', 'n2', 'n1'], 'each replica once; n1 is there twice'],
  ])('%j is refused', (ids, expected) => {
    expect(parseReplicaIds(ids)).toEqual({ ok: false, expected });
  });
});

describe('replacements', () => {
  it('are pairs, in their order', () => {
    expect(parseReplacements({ n1: 'n4', n3: 'n5' })).toEqual({
      ok: true,
      value: [
        { id: 'n1', by: 'n4' },
        { id: 'n3', by: 'n5' },
      ],
    });
  });

  it.each<[Record<string, string>, string]>([
    [{}, replacementsExpected],
    [{ n1: 'n1' }, 'each replica once; n1 is there twice'],
    [{ n1: 'n2', n2: 'n3' }, 'each replica once; n2 is there twice'],
    [{ leader: 'n4' }, `${replacementsExpected}; "leader" is no id`],
  ])('%j is refused', (pairs, expected) => {
    expect(parseReplacements(pairs)).toEqual({ ok: false, expected });
  });
});
