import { describe, expect, it } from 'vitest';
import { Instruments } from '../../src/node/instruments.ts';
import { append, dropPrefix, reset, truncate } from '../../src/raft/log.ts';
import type { LogState, RaftState } from '../../src/raft/state.ts';
import { ManualClock } from './manual-clock.ts';

type Latency = keyof Instruments['latencies'];

function setUp() {
  const clock = new ManualClock();
  const instruments = new Instruments({ id: 'n1', group: 'default' }, clock);
  const log: LogState = {
    floorIndex: 0,
    floorTerm: 0,
    lastIndex: 0,
    runs: [],
    cache: [],
    bytesThrough: [],
    bytesBefore: 0,
  };
  const state = {
    commitIndex: 0,
    durable: { index: 0, hardState: { term: 0, votedFor: null } },
    log,
    drops: {} as RaftState['drops'],
  };
  const propose = (count: number, term: number): void => {
    const from = log.lastIndex + 1;
    for (let index = from; index < from + count; index += 1) append(log, { kind: 'noop', index, term });
    instruments.appended(count, { from, term });
  };
  const to = (moved: { durable?: number; commit?: number }): void => {
    state.durable.index = moved.durable ?? state.durable.index;
    state.commitIndex = moved.commit ?? state.commitIndex;
    instruments.look(state);
  };
  /** Count and sum, in milliseconds. */
  const told = (latency: Latency): [number, number] => {
    const { count, sum } = instruments.latencies[latency].value();
    return [count, Math.round(sum * 1000)];
  };
  instruments.look(state);
  return { clock, instruments, log, state, propose, to, told };
}

describe('entries on their way', () => {
  it('are durable here and committed each in its own time, whichever comes first', () => {
    const { clock, propose, to, told } = setUp();
    propose(2, 1);
    clock.advance(10);
    to({ durable: 2 });
    expect([told('append'), told('commit')]).toEqual([
      [2, 20],
      [0, 0],
    ]);
    clock.advance(5);
    to({ commit: 2 });
    expect([told('append'), told('commit')]).toEqual([
      [2, 20],
      [2, 30],
    ]);
    propose(1, 1);
    clock.advance(3);
    to({ commit: 3 });
    clock.advance(4);
    to({ durable: 3 });
    expect([told('append'), told('commit')]).toEqual([
      [3, 27],
      [3, 33],
    ]);
  });

  it('that were overwritten are never told of, nor is what took their place', () => {
    const { clock, log, propose, to, told } = setUp();
    propose(3, 1);
    truncate(log, 2);
    for (const index of [2, 3]) append(log, { kind: 'noop', index, term: 2 });
    clock.advance(10);
    to({ durable: 3, commit: 3 });
    // They went as one batch, and its last entry is another.
    expect([told('append'), told('commit')]).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it('wait for being applied from when they are known to be committed, proposed here or not', () => {
    const { clock, instruments, log, to, told } = setUp();
    for (const index of [1, 2, 3]) append(log, { kind: 'noop', index, term: 1 });
    to({ commit: 2 });
    clock.advance(7);
    to({ commit: 3 });
    instruments.applied(1);
    expect(told('apply')).toEqual([0, 0]);
    instruments.applied(2);
    clock.advance(1);
    instruments.applied(3);
    expect(told('apply')).toEqual([3, 7 + 7 + 1]);
  });

  it('that a snapshot took the place of were not applied', () => {
    const { clock, instruments, log, to, told } = setUp();
    for (const index of [1, 2]) append(log, { kind: 'noop', index, term: 1 });
    to({ commit: 2 });
    reset(log, 10, 1);
    to({ durable: 10, commit: 10 });
    append(log, { kind: 'noop', index: 11, term: 1 });
    to({ commit: 11 });
    clock.advance(5);
    instruments.applied(11);
    expect(told('apply')).toEqual([1, 5]);
  });

  it('that are compacted once applied were applied', () => {
    const { clock, instruments, log, to, told } = setUp();
    for (const index of [1, 2, 3]) append(log, { kind: 'noop', index, term: 1 });
    to({ commit: 3 });
    clock.advance(2);
    instruments.applied(3);
    dropPrefix(log, 2);
    to({});
    expect(told('apply')).toEqual([3, 6]);
  });

  it('are told on with the next core, whose commit index is where it begins', () => {
    const { clock, instruments, propose, state, to, told } = setUp();
    propose(2, 1);
    to({ durable: 2 });
    clock.advance(50);
    const next = { ...state, commitIndex: 1, drops: {} };
    instruments.look(next);
    next.commitIndex = 2;
    instruments.look(next);
    expect(told('commit')).toEqual([2, 100]);
    instruments.applied(2);
    expect(told('apply')).toEqual([1, 0]);
  });
});

describe('messages that were dropped', () => {
  it('are those of every core there was', () => {
    const { instruments, state } = setUp();
    state.drops['stale-term'] = 3;
    state.drops.malformed = 1;
    const next = { ...state, drops: { 'stale-term': 2 } as RaftState['drops'] };
    instruments.look(next);
    expect(instruments.drops()).toEqual({ 'stale-term': 5, malformed: 1 });
    next.drops['stale-term'] = 4;
    instruments.look(next);
    expect(instruments.drops()).toEqual({ 'stale-term': 7, malformed: 1 });
  });
});
