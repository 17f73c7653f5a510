import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { cluster, groups } from '../../../lab/certification/content.ts';
import {
  type Expectation,
  expectNothing,
  found,
  submitted,
  withGroup,
} from '../../../lab/certification/expectation.ts';
import { judgeCrash, judgeDamage } from '../../../lab/certification/judge.ts';
import { emptyLog, type LogState } from '../../../lab/certification/log-state.ts';
import type { Look } from '../../../lab/certification/look.ts';
import type { ShownGroup } from '../../../lab/certification/shown.ts';
import { Wrong } from '../../../lab/certification/wrong.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import type { LogDamage } from '../../../src/storage/contract.ts';
import { StorageRefused } from '../../../src/storage/errors.ts';

const [orders] = groups;
const entry = (index: number, term: number, text = `${index}`): Entry => ({
  kind: 'command',
  index,
  term,
  payload: Buffer.from(text),
});
const vote = { id: 'n2', incarnation: '0123456789abcdef' };
/** Voted in term 2, holds 1:1 2:1 3:2 4:2. */
const told: LogState = {
  hardState: { term: 2, votedFor: vote },
  floor: emptyLog.floor,
  entries: [entry(1, 1), entry(2, 1), entry(3, 2), entry(4, 2)],
};
const incarnation = '00000000000000f1';
const expectation: Expectation = {
  ...withGroup(found(expectNothing(groups), orders, told), orders, { past: [emptyLog, told] }),
  incarnation,
  boot: 3,
  clusterIds: [cluster],
};
/** Entry 5 is under way, with a later term. */
const underWay = submitted(expectation, orders, {
  writeId: { boot: 1, sequence: 1 },
  hardState: { term: 3, votedFor: null },
  entries: [entry(5, 3)],
});

function look(log: LogState, changed: Partial<ShownGroup> = {}, identity = {}): Look {
  const empty: ShownGroup = { log: emptyLog, damage: null, beyond: [], snapshot: null };
  const shown = new Map(groups.map((group) => [group, empty]));
  shown.set(orders, { ...empty, log, ...changed });
  const whose = { id: 'n1', incarnation, boot: 4, clusterId: cluster, ...identity };
  return {
    shown: { identity: whose, groups: shown },
    error: null,
    isSecond: false,
    onward: null,
    replacement: null,
  };
}
const refused: Look = {
  shown: null,
  error: new StorageRefused('damaged', 'block 3 is missing'),
  isSecond: false,
  onward: null,
  replacement: null,
};
const until = (index: number): LogState => ({ ...told, entries: told.entries.slice(0, index) });
const damage = (of: Partial<LogDamage>): LogDamage => ({
  holes: [],
  end: null,
  report: 'block 2 is missing',
  ...of,
});

const other = { incarnation: '00000000000000f2' };
const aside = { putAside: { directory: '/data/damaged-1', why: 'both files are missing' } };
/** Refused, and then put aside, with this in its place. */
const replacedBy = (replacement: Look): Look => ({ ...refused, replacement });

describe('a state that a power cut left is wrong', () => {
  const wrongs: [string, Look][] = [
    ['when it does not open', refused],
    ['when an acknowledged entry is gone', look(until(3))],
    ['when there is an entry that nobody wrote', look({ ...told, entries: [...told.entries, entry(5, 2)] })],
    ['when an entry has other bytes', look({ ...told, entries: [...until(3).entries, entry(4, 2, 'x')] })],
    ['when the vote is gone', look({ ...told, hardState: { term: 2, votedFor: null } })],
    ['when the term is an earlier one', look({ ...told, hardState: { term: 1, votedFor: vote } })],
    ['when it is said to be damaged though all is there', look(told, { damage: damage({}) })],
    ['when its boot was told before', look(told, {}, { boot: 3 })],
    ['when it is another storage', look(told, {}, { incarnation: '00000000000000f2' })],
    ['when it forgot its cluster', look(told, {}, { clusterId: null })],
    ['when reading it fails once', { ...look(told), isSecond: true }],
    ['when it cannot go on', { ...look(told), onward: new Wrong({ expected: 'a write', found: 'none' }) }],
  ];
  it.each(wrongs)('%s', (_name, one) => {
    expect(() => judgeCrash(one, expectation)).toThrow(Wrong);
  });

  it('and right when it is what was acknowledged, or a write under way made of it', () => {
    judgeCrash(look(told), expectation);
    const hardState = { term: 3, votedFor: null };
    for (const log of [
      told,
      { ...told, hardState },
      { ...told, hardState, entries: [...told.entries, entry(5, 3)] },
    ]) {
      judgeCrash(look(log), underWay);
    }
    const early = { ...told, entries: [...told.entries, entry(5, 3)] };
    expect(() => judgeCrash(look(early), underWay)).toThrow(/expected .*under way/);
  });
});

describe('a damaged storage is right', () => {
  it('when it is clean and exact, or refused by name', () => {
    expect(judgeDamage(look(told), expectation)).toBe('clean');
    expect(judgeDamage(refused, expectation)).toBe('refused');
  });

  it('when it is put aside, and another server that is empty takes its place', () => {
    for (const clusterId of [cluster, null]) {
      const anew = look(emptyLog, {}, { ...other, ...aside, clusterId });
      expect(judgeDamage(replacedBy(anew), expectation)).toBe('put aside');
    }
  });

  it('when it says which entries it lacks, and holds what it says', () => {
    const anchor = { index: 3, term: 2 };
    const holes = [{ from: 2, to: 2, anchor }];
    const held = { damage: damage({ holes, end: { index: 4, term: 2 } }), beyond: told.entries.slice(2) };
    expect(judgeDamage(look(until(1), held), expectation)).toBe('holes');
    expect(judgeDamage(look(until(3), { damage: damage({}) }), expectation)).toBe('lost tail');
  });

  it('when it does not know its end, and is what it was before', () => {
    const before = { ...until(2), entries: [entry(1, 1), entry(2, 1), entry(3, 1)] };
    const replaced = withGroup(expectation, orders, { past: [emptyLog, before, told] });
    const shown = { ...before, hardState: told.hardState };
    expect(judgeDamage(look(shown, { damage: damage({}) }), replaced)).toBe('lost tail');
    const end = { index: 4, term: 2 };
    expect(() => judgeDamage(look(shown, { damage: damage({ end }) }), replaced)).toThrow(Wrong);
    const older = { ...shown, hardState: { term: 1, votedFor: null } };
    expect(() => judgeDamage(look(older, { damage: damage({}) }), replaced)).toThrow(Wrong);
  });

  it('when it lost its floor, and says that all below is missing', () => {
    const floor = { index: 3, term: 2, configuration: null };
    const compacted: LogState = { ...told, floor, entries: [entry(4, 2)] };
    const past = [emptyLog, told, compacted];
    const expected = withGroup(found(expectation, orders, compacted), orders, { past });
    const holes = [{ from: 1, to: 3, anchor: { index: 4, term: 2 } }];
    const says = { damage: damage({ holes, end: { index: 4, term: 2 } }), beyond: [entry(4, 2)] };
    expect(judgeDamage(look({ ...until(0) }, says), expected)).toBe('holes');
    const never = { ...until(0), floor: { index: 2, term: 2, configuration: null } };
    expect(() => judgeDamage(look(never, says), expected)).toThrow(Wrong);
  });

  it('when it lost the snapshot that its log begins after, and says that all of it is missing, or from an older one on', () => {
    const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
    const floor = { index: 3, term: 2, configuration };
    const compacted: LogState = { ...told, floor, entries: [entry(4, 2)] };
    const at = (index: number) => ({
      index,
      term: index < 2 ? 1 : 2,
      configuration,
      content: Buffer.from(`${index}`),
    });
    const expected = withGroup(found(expectation, orders, compacted), orders, {
      past: [emptyLog, told, compacted],
      snapshot: at(3),
      snapshots: [at(1), at(3)],
    });
    const damaged = (from: number) => ({
      damage: damage({ holes: [{ from, to: 3, anchor: { index: 3, term: 2 } }], end: { index: 4, term: 2 } }),
      beyond: [entry(4, 2)],
    });
    expect(judgeDamage(look(until(0), damaged(1)), expected)).toBe('holes');
    const { content, ...older } = at(1);
    const digest = createHash('sha256').update(content).digest('hex');
    const snapshot = { meta: { ...older, size: content.length, digest }, content };
    const begins = { ...until(0), floor: { index: 1, term: 1, configuration } };
    expect(judgeDamage(look(begins, { ...damaged(2), snapshot }), expected)).toBe('holes');
    // Not a word, or a beginning after a snapshot that is not there.
    expect(() => judgeDamage(look(compacted), expected)).toThrow(/a word that it is lost/);
    expect(() => judgeDamage(look(begins, damaged(2)), expected)).toThrow(Wrong);
  });

  it('when it had promised nothing, and is another storage now', () => {
    const unused = { ...expectNothing(groups), incarnation, boot: 1 };
    const anew = look(emptyLog, {}, { incarnation: '00000000000000f2', boot: 1, clusterId: null });
    expect(judgeDamage(anew, unused)).toBe('made anew');
    expect(() => judgeDamage(anew, expectation)).toThrow(Wrong);
  });
});

describe('a damaged storage is wrong', () => {
  const end = { index: 4, term: 2 };
  const anchor = { index: 3, term: 2 };
  const wrongs: [string, Look][] = [
    ['when it lost entries without a word', look(until(2))],
    ['when it lost the vote without a word', look({ ...told, hardState: { term: 2, votedFor: null } })],
    [
      'when it lost the vote and tells of entries alone',
      look({ ...until(2), hardState: { term: 2, votedFor: null } }, { damage: damage({}) }),
    ],
    [
      'when it claims an end that is not the end',
      look(until(2), { damage: damage({ end: { index: 3, term: 2 } }) }),
    ],
    [
      'when what it says it holds has other bytes',
      look(until(1), { damage: damage({ end }), beyond: [entry(4, 2, 'x')] }),
    ],
    [
      'when a hole lies where it holds entries',
      look(until(3), { damage: damage({ holes: [{ from: 3, to: 4, anchor }], end }) }),
    ],
    [
      'when a hole goes beyond the end',
      look(until(3), { damage: damage({ holes: [{ from: 4, to: 5, anchor }], end }) }),
    ],
    ['when it crashes without a name', { ...refused, error: new TypeError('x is undefined') }],
    [
      'when it is refused as something else',
      { ...refused, error: new StorageRefused('other-replica', 'of n7') },
    ],
    ['when it was put aside, and goes on as the one that it was', replacedBy(look(emptyLog, {}, aside))],
    [
      'when it was put aside, and part of it is there still',
      replacedBy(look(until(2), {}, { ...other, ...aside })),
    ],
    ['when it was put aside, and nobody knows where', replacedBy(look(emptyLog, {}, other))],
    [
      'when it was put aside, and is of a cluster it never was part of',
      replacedBy(look(emptyLog, {}, { ...other, ...aside, clusterId: '00000000000000c7' })),
    ],
    [
      'when it was put aside, and some of it is gone',
      replacedBy({
        ...look(emptyLog, {}, { ...other, ...aside }),
        onward: new Wrong({ expected: 'the mark', found: 'it is gone' }),
      }),
    ],
  ];
  it.each(wrongs)('%s', (_name, one) => {
    expect(() => judgeDamage(one, expectation)).toThrow(Wrong);
  });
});

describe('a snapshot', () => {
  const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
  const written = { index: 2, term: 1, configuration, content: Buffer.from('state') };
  const digest = 'fc6e35be8e5be60ae9c63a5d9bb2c3b0fa7d8ff9ecfbb4cb90ed02b0a3e4d3a9';
  const kept = withGroup(expectation, orders, { snapshot: written, snapshots: [written] });

  it('that was told is there after a power cut, and after a damage may be gone, not another', () => {
    expect(() => judgeCrash(look(told), kept)).toThrow(/expected the snapshot of orders at 2/);
    expect(judgeDamage(look(told), kept)).toBe('snapshot lost');
    const meta = { index: 2, term: 1, configuration, size: 5, digest };
    const other = look(told, { snapshot: { meta, content: Buffer.from('stade') } });
    expect(() => judgeDamage(other, kept)).toThrow(/that never was/);
  });
});
