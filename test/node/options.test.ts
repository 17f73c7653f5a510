import { describe, expect, it } from 'vitest';
import { InvalidOptions } from '../../src/node/errors.ts';
import { type RaftNodeOptions, resolveRaftOptions } from '../../src/node/options.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import { memoryStorage } from '../../src/storage/index.ts';
import { memoryNetwork } from '../../src/transport/index.ts';

const good: RaftNodeOptions<string, string, string, string> = {
  id: 'n1',
  storage: memoryStorage(),
  transport: memoryNetwork().transport('n1'),
  stateMachine: { apply: (c) => c, query: (q) => q },
  bootstrap: { members: [{ id: 'n1', address: 'n1' }] },
};

function mistakesOf(changes: object): readonly string[] {
  try {
    resolveRaftOptions({ ...good, ...changes });
  } catch (error) {
    if (error instanceof InvalidOptions) return error.mistakes;
    throw error;
  }
  return [];
}

describe('the options of open', () => {
  it('take defaults for everything not said', () => {
    expect(resolveRaftOptions(good)).toEqual(defaultRaftOptions);
  });

  it.each([
    ['an id with a space', { id: 'n 1', bootstrap: undefined }, /^id: "n 1" is no id/],
    ['an empty id', { id: '', bootstrap: undefined }, /^id: "" is no id/],
    ['a group with a slash', { group: 'a/b' }, /^group: "a\/b"/],
    ['no storage', { storage: undefined }, /^storage: expected an object with open\(\)/],
    ['a transport that cannot send', { transport: { open() {} } }, /^transport: .*send\(\), setPeers\(\)/],
    [
      'a state machine without query',
      { stateMachine: { apply() {} } },
      /^stateMachine: expected .*query\(\)/,
    ],
    ['half a codec', { codec: { encode() {} } }, /^codec: expected an object with decode\(\)/],
    [
      'a bootstrap without itself',
      { bootstrap: { members: [{ id: 'n2', address: 'x' }] } },
      /does not list this replica, "n1"/,
    ],
    [
      'a member twice',
      { bootstrap: { members: [good, good].map(({ id }) => ({ id, address: 'x' })) } },
      /\[1\]\.id: "n1" is listed twice/,
    ],
    [
      'a member without address',
      { bootstrap: { members: [{ id: 'n1' }] } },
      /\[0\]\.address: expected where/,
    ],
    ['nobody', { bootstrap: { members: [] } }, /at least one/],
    [
      'a founder that is to join as well',
      { join: { seeds: [{ id: 'n2', address: 'n2' }] } },
      /^bootstrap, join: give one of them/,
    ],
    [
      'nobody to ask but itself',
      { bootstrap: undefined, join: { seeds: [{ id: 'n1', address: 'n1' }] } },
      /^join\.seeds: expected at least one member besides this replica/,
    ],
    [
      'no seeds',
      { bootstrap: undefined, join: { seeds: [] } },
      /^join\.seeds: expected at least one member besides/,
    ],
    ['seeds that are no list', { bootstrap: undefined, join: {} }, /^join\.seeds: expected a list/],
    [
      'a seed without address',
      { bootstrap: undefined, join: { seeds: [{ id: 'n2' }] } },
      /^join\.seeds\[0\]\.address: expected where/,
    ],
    ['an empty address', { address: '' }, /^address: expected where this replica can be reached/],
    ['metadata that are not words', { metadata: { port: 1 } }, /^metadata: expected an object of strings/],
    ['a policy that decides nothing', { snapshots: { keepEntries: 1 } }, /^snapshots: expected .* due\(\)/],
    [
      'a policy that keeps less than nothing',
      { snapshots: { due: () => false, keepEntries: -1 } },
      /^snapshots\.keepEntries: -1 is no whole number/,
    ],
    ['a negative timeout', { requestTimeoutMs: -1 }, /^requestTimeoutMs: -1 is no positive integer/],
    [
      'a misspelled core option',
      { raft: { heartbeatMs: 5 } },
      /^raft\.heartbeatMs: no such option; there are .*heartbeatIntervalMs/,
    ],
    [
      'a word for a switch',
      { raft: { preVote: 'yes' } },
      /^raft: preVote must be true or false; it is "yes"/,
    ],
    [
      'a heartbeat too slow',
      { raft: { heartbeatIntervalMs: 251 } },
      /^raft: heartbeatIntervalMs \(251\) must be at most half/,
    ],
    [
      'no spread of timeouts',
      { raft: { electionTimeoutMaxMs: 500 } },
      /^raft: electionTimeoutMaxMs \(500\) must be above/,
    ],
    [
      'a window below one message',
      { raft: { inflightBytesMax: 1024 } },
      /^raft: inflightBytesMax \(1024\) must be at least messageBytesMax/,
    ],
  ])('refuse %s', (_name, changes, expected) => {
    const mistakes = mistakesOf(changes);
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toMatch(expected);
  });

  it('accept the heartbeat at exactly half the election timeout', () => {
    expect(mistakesOf({ raft: { heartbeatIntervalMs: 250 } })).toEqual([]);
  });

  it('are refused with all mistakes at once', () => {
    expect(mistakesOf({ id: '!', storage: null, requestTimeoutMs: 0, raft: { clockGapMs: 0 } })).toHaveLength(
      5,
    );
  });
});
