import { describe, expect, it } from 'vitest';
import { didYouMean } from '../../../lab/scenario/did-you-mean.ts';

const words = ['partition', 'network', 'disk', 'clock', 'crash', 'pause', 'at', 'for', 'election-timeout'];

describe('did you mean', () => {
  it.each([
    ['partion', 'partition'],
    ['partitoin', 'partition'],
    ['Network', 'network'],
    ['disc', 'disk'],
    ['clocks', 'clock'],
    ['electionTimeout', 'election-timeout'],
    ['election_timeout', 'election-timeout'],
    ['election timeout', 'election-timeout'],
    ['fro', 'for'],
  ])('%s: %s', (found, meant) => {
    expect(didYouMean(found, words)).toBe(meant);
  });

  it.each(['', 'x', 'memory', 'kill'])('%j resembles nothing', (found) => {
    expect(didYouMean(found, words)).toBeNull();
  });

  it('a very long word resembles nothing, and costs little to find so', () => {
    expect(didYouMean('partition'.repeat(100_000), words)).toBeNull();
  });

  it('has no answer without words', () => {
    expect(didYouMean('partition', [])).toBeNull();
  });
});
