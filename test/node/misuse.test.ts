import { afterEach, describe, expect, it } from 'vitest';
import { InvalidOptions, RaftNode, snapshotPolicy } from '../../src/index.ts';
import { COMMAND_BYTES_MAX, resolveRaftOptions } from '../../src/node/options.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import { fileStorage, memoryStorage, type Storage, StorageRefused } from '../../src/storage/index.ts';
import { memoryNetwork, TransportFailed, tcpTransport } from '../../src/transport/index.ts';

// biome-ignore lint/suspicious/noExplicitAny: what a program without types may hand over.
type Anything = any;

const good = {
  id: 'n1',
  storage: memoryStorage(),
  transport: memoryNetwork().transport('n1'),
  stateMachine: { apply: (c: string) => c, query: (q: string) => q },
};

/** What is wrong, one sentence each; empty when it is taken. */
function mistakesOf(make: () => unknown): readonly string[] {
  try {
    make();
  } catch (error) {
    if (error instanceof InvalidOptions) return error.mistakes;
    if (error instanceof StorageRefused && error.reason === 'wrong-options') return listed(error);
    if (error instanceof TransportFailed) return listed(error);
    throw error;
  }
  return [];
}

function listed({ message }: Error): string[] {
  return message.split('\n').flatMap((line) => (/^\s*- /.test(line) ? [line.replace(/^\s*- /, '')] : []));
}

const stubs = (methods: readonly string[]): object =>
  Object.fromEntries(methods.map((method) => [method, () => {}]));
const open = (changes: object) => () => resolveRaftOptions({ ...good, ...changes } as Anything);
const core = (changes: object) => open({ raft: changes });
const tcp = (changes: object) => () => tcpTransport({ listen: '127.0.0.1:0', ...changes } as Anything);
const files = (changes: object) => () => fileStorage({ directory: 'somewhere', ...changes } as Anything);
const policy = (changes: object) => () => snapshotPolicy(changes as Anything);

/** Every option that is a number, by what takes it, with its least value. */
const numbers: readonly [string, (changes: object) => () => unknown, string, number][] = [
  ...Object.entries(defaultRaftOptions).flatMap(([name, value]): [string, typeof core, string, number][] =>
    typeof value === 'number' ? [['raft', core, name, least(name)]] : [],
  ),
  ['open', open, 'requestTimeoutMs', 1],
  ['open', open, 'pendingRequestsMax', 1],
  ['open', open, 'commandBytesMax', 1],
  ['open', open, 'storageStallMs', 1],
  ['open', open, 'applyStallMs', 1],
  ['tcpTransport', tcp, 'queueBytesMax', 1],
  ['tcpTransport', tcp, 'frameBytesMax', 1],
  ['tcpTransport', tcp, 'handshakeTimeoutMs', 1],
  ['tcpTransport', tcp, 'keepAliveMs', 1],
  ['tcpTransport', (c) => tcp({ reconnect: c }), 'fromMs', 1],
  ['tcpTransport', (c) => tcp({ reconnect: c }), 'toMs', 1],
  ['fileStorage', files, 'shards', 1],
  ['fileStorage', files, 'segmentBytes', 512],
  ['fileStorage', files, 'reserveBytes', 0],
  ['snapshotPolicy', policy, 'entries', 1],
  ['snapshotPolicy', policy, 'bytes', 1],
  ['snapshotPolicy', policy, 'keepEntries', 0],
];

/** The table of the core's least values, written a second time. */
function least(name: string): number {
  const zero = ['cacheBytesMax', 'electionPriority', 'snapshotBytesPerSecondMax', 'snapshotPinnedEntriesMax'];
  if (name === 'electionTimeoutMinMs') return 2;
  if (name === 'electionTimeoutMaxMs') return 3;
  return zero.includes(name) ? 0 : 1;
}

const noNumbers: readonly [found: unknown, told: string][] = [
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, 'Infinity'],
  [-1, '-1'],
  [1.5, '1.5'],
  ['5', '"5"'],
  ['', '""'],
  [null, 'null'],
  [true, 'true'],
  [5n, '5'],
  [[5], 'a list'],
  [{}, 'an object'],
  [Symbol('five'), 'a symbol'],
];

describe.each(numbers)('the numbers of %s (%#)', (_where, make, name, leastValue) => {
  it.each(noNumbers)(`${name} is refused when it is %o, and what was found is told`, (found, told) => {
    const mistakes = mistakesOf(make({ [name]: found }));
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toContain(name);
    expect(mistakes[0]).toContain(told);
  });

  it(`${name} is refused below its least value`, () => {
    expect(mistakesOf(make({ [name]: leastValue - 1 })).join()).toContain(name);
  });

  it(`${name} that is undefined is one that was not said`, () => {
    expect(mistakesOf(make({ [name]: undefined }))).toEqual([]);
  });
});

describe('what is refused when it is opened or made', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'options that are none',
      () => resolveRaftOptions(null as Anything),
      /expected an object of options, found null/,
    ],
    [
      'an option that there is not',
      open({ requestTimeout: 5 }),
      /^requestTimeout: no such option; there are .*requestTimeoutMs/,
    ],
    [
      'an id with a forbidden character',
      open({ id: 'n/1' }),
      /^id: "n\/1" is no id; expected 1 to 64 characters/,
    ],
    ['an id that is too long', open({ id: 'n'.repeat(65) }), /^id: /],
    ['an id that is a number', open({ id: 1 }), /^id: 1 is no id/],
    ['a group with a forbidden character', open({ group: 'a:b' }), /^group: "a:b" is no id/],
    [
      'a seed with a forbidden character',
      open({ join: { seeds: [{ id: 'ä', address: 'x' }] } }),
      /^join\.seeds\[0\]\.id: "ä" is no id/,
    ],
    ['bootstrap that is null', open({ bootstrap: null }), /^bootstrap: expected \{ members \}, found null/],
    ['join that is null', open({ join: null }), /^join: expected \{ seeds \}, found null/],
    [
      'a member that is null',
      open({ join: { seeds: [{ id: 'n2', address: 'n2' }, null] } }),
      /^join\.seeds\[1\]/,
    ],
    ['core options that are null', open({ raft: null }), /^raft: expected an object, found null/],
    ['core options that are a list', open({ raft: [5] }), /^raft: expected an object, found a list/],
    ['a logger that is none', open({ logger: console }), /^logger: expected an object with child\(\)/],
    ['an observer that is none', open({ observer: {} }), /^observer: expected a function, found an object/],
    ['doors that are null', open({ doors: null }), /^doors: expected \{ clock, random \}, found null/],
    [
      'a clock without hands',
      open({ doors: { clock: {}, random: { integer() {}, bytes() {} } } }),
      /^doors\.clock: expected .*now\(\)/,
    ],
    [
      'a transport without stats',
      open({ transport: { ...stubs(['open', 'send', 'setPeers', 'setIdentity', 'close']), address: 'n1' } }),
      /^transport: expected an object with stats\(\)/,
    ],
    [
      'a state machine whose snapshot is no function',
      open({ stateMachine: { ...good.stateMachine, snapshot: 'yes', restore: async () => {} } }),
      /^stateMachine\.snapshot: expected a function, found "yes"/,
    ],
    [
      'a state machine whose restore is no function',
      open({ stateMachine: { ...good.stateMachine, snapshot: () => [], restore: null } }),
      /^stateMachine\.restore: expected a function, found null/,
    ],
    [
      'a bound of sessions that cannot even be shown',
      open({ sessionsMax: Object.create(null) }),
      /^sessionsMax: an object is no positive integer/,
    ],
    ['metadata that is null', open({ metadata: null }), /^metadata: expected an object of strings/],
    [
      'a heartbeat that is not well below the election timeout',
      core({ heartbeatIntervalMs: 251 }),
      /^raft: heartbeatIntervalMs \(251\) must be at most half of electionTimeoutMinMs \(500\)/,
    ],
    [
      'a window of no message',
      core({ inflightMessagesMax: 0 }),
      /^raft: inflightMessagesMax must be .* at least 1; it is 0/,
    ],
    [
      'a window that holds less than one message',
      core({ inflightBytesMax: 256 * 1024 - 1 }),
      /^raft: inflightBytesMax \(262143\) must be at least messageBytesMax \(262144\)/,
    ],
    [
      'no window for a snapshot',
      core({ snapshotChunksInflightMax: 0 }),
      /^raft: snapshotChunksInflightMax must be .* at least 1/,
    ],
    [
      'messages that no transport carries',
      core({ messageBytesMax: 2 ** 24 + 1, inflightBytesMax: 2 ** 25 }),
      /^raft: messageBytesMax \(16777217\) must be at most 16777216/,
    ],
    [
      'chunks that no transport carries',
      core({ snapshotChunkBytes: 2 ** 24 + 1 }),
      /^raft: snapshotChunkBytes \(16777217\) must be at most 16777216/,
    ],
    [
      'a switch that is a number',
      core({ checkQuorum: 1 }),
      /^raft: checkQuorum must be true or false; it is 1/,
    ],
    [
      'a word that is no choice',
      core({ replacement: Symbol('x') }),
      /^raft: replacement must be .*; it is a symbol/,
    ],
    [
      'clocks that may drift without bound',
      core({ clockDriftMaxRatio: 1 }),
      /^raft: clockDriftMaxRatio must be null, or from 0 to below 1; it is 1$/,
    ],
    [
      'a drift that is a word',
      core({ clockDriftMaxRatio: '0.1' }),
      /^raft: clockDriftMaxRatio .*; it is "0.1"$/,
    ],
    [
      'a consistency that there is not',
      open({ readConsistency: Symbol('x') }),
      /^readConsistency: expected .*, found a symbol/,
    ],
    [
      'a lease without a drift ratio',
      open({ readConsistency: 'lease' }),
      /^readConsistency: "lease" needs raft\.clockDriftMaxRatio/,
    ],
    [
      'a transport without options',
      () => tcpTransport(null as Anything),
      /^expected an object of options, found null/,
    ],
    [
      'a misspelled option of the transport',
      tcp({ keepAlive: 5 }),
      /^keepAlive: no such option; there are .*keepAliveMs/,
    ],
    [
      'a misspelled wait',
      tcp({ reconnect: { from: 5 } }),
      /^reconnect\.from: no such option; there are fromMs, toMs/,
    ],
    ['waits that are a number', tcp({ reconnect: 5 }), /^reconnect: expected an object, got 5/],
    [
      'a storage without options',
      () => fileStorage(undefined as Anything),
      /^expected an object of options, found undefined/,
    ],
    ['a directory that is a number', files({ directory: 5 }), /^directory: found 5, expected a path/],
    ['a misspelled option of the storage', files({ shard: 2 }), /^shard: no such option; there are .*shards/],
    [
      'a misspelled option of the policy',
      policy({ every: 5 }),
      /^every: no such option; there are entries, bytes, keepEntries/,
    ],
  ])('%s', (_what, make, expected) => {
    const mistakes = mistakesOf(make);
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toMatch(expected);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '5', null])(
    'a network with a latency of %o',
    (latencyMs) => {
      expect(() => memoryNetwork({ latencyMs: latencyMs as number })).toThrow(
        /^invalid options for memoryNetwork: latencyMs/,
      );
      expect(() => memoryNetwork({ latency: 5 } as Anything)).toThrow(
        /latency: no such option; there are clock, latencyMs/,
      );
    },
  );

  it('a transport that could not carry what may be proposed, at both sides of the bound', () => {
    const overhead = 64 * 1024;
    const carrying = (frameBytesMax: number, more: object = {}) =>
      open({ transport: tcpTransport({ listen: '127.0.0.1:0', frameBytesMax }), ...more });
    expect(mistakesOf(carrying(COMMAND_BYTES_MAX + overhead))).toEqual([]);
    expect(mistakesOf(carrying(COMMAND_BYTES_MAX + overhead - 1))).toEqual([
      expect.stringMatching(
        /^commandBytesMax: 16777216 is more than the transport carries in one message \(16842751, /,
      ),
    ]);
    const small = { commandBytesMax: 1000, raft: { messageBytesMax: 1000, snapshotChunkBytes: 1001 } };
    expect(mistakesOf(carrying(overhead + 1001, small))).toEqual([]);
    expect(mistakesOf(carrying(overhead + 999, small)).map((mistake) => mistake.split(':')[0])).toEqual([
      'commandBytesMax',
      'raft.messageBytesMax',
      'raft.snapshotChunkBytes',
    ]);
  });
});

describe('RaftNode.open', () => {
  const opened: RaftNode<string, string, string, string>[] = [];
  afterEach(() => Promise.all(opened.splice(0).map((node) => node.close())));

  it('tells all mistakes together, and touches neither storage nor transport', async () => {
    const touched: string[] = [];
    const watched = (name: string): Anything =>
      new Proxy({} as Record<string, unknown>, {
        get: (_, method) => () => touched.push(`${name}.${String(method)}`),
      });
    const wrong: Anything = {
      ...good,
      id: 'n 1',
      group: '',
      storage: watched('storage'),
      transport: watched('transport'),
      bootstrap: { members: [{ id: '*', address: '' }] },
      requestTimeoutMs: -1,
      timeout: 5,
      raft: { heartbeatIntervalMs: 400, inflightBytesMax: 1, uncommittedBytesMax: -5, clockGapMs: '250' },
    };
    const failure = await RaftNode.open(wrong).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InvalidOptions);
    const { mistakes, message, code } = failure as InvalidOptions;
    expect(code).toBe('KONTIKI_INVALID_OPTIONS');
    expect(mistakes.map((mistake) => mistake.split(/: |\(/)[0])).toEqual([
      'timeout',
      'id',
      'group',
      'bootstrap.members[0].id',
      'bootstrap.members[0].address',
      'bootstrap.members',
      'requestTimeoutMs',
      'raft',
      'raft',
      'raft',
      'raft',
    ]);
    for (const mistake of mistakes) expect(message).toContain(mistake);
    expect(touched).toEqual([]);
  });

  it('takes the same options once they are mended', async () => {
    const storage: Storage = memoryStorage();
    const node = await RaftNode.open({
      ...good,
      storage,
      bootstrap: { members: [{ id: 'n1', address: 'n1' }] },
      requestTimeoutMs: 1000,
      raft: { heartbeatIntervalMs: 250, inflightBytesMax: 256 * 1024 },
    });
    opened.push(node);
    expect((await node.waitForLeader()).id).toBe('n1');
  });
});
