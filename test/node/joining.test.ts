import { describe, expect, it } from 'vitest';
import { Joining } from '../../src/node/joining.ts';
import { type Configuration, emptyConfiguration } from '../../src/raft/configuration.ts';
import type { JoinAnswer, JoinOutcome } from '../../src/raft/message.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import type { RaftState } from '../../src/raft/state.ts';
import { ManualClock } from './manual-clock.ts';

const self = { id: 'n1', incarnation: 'i', boot: 3 };
const member = (id: string) => ({ id, incarnation: 'i', address: id });
const listing = (...ids: string[]): Configuration => ({
  ...emptyConfiguration,
  id: '1.1',
  voters: ids.map(member),
});

/** A replica that belongs to no cluster, or holds a log with one configuration, the only one. */
function joiningOf(configuration: Configuration | null, seeds: string[] = ['s1', 's2']) {
  const clock = new ManualClock();
  const told: string[] = [];
  const state = {
    self,
    leader: null as { id: string; incarnation: string } | null,
    removed: false,
    wasMember: false,
    commitIndex: 0,
    log: { lastIndex: configuration === null ? 0 : 9, floorIndex: 0 },
    configurations: [
      { index: configuration === null ? 0 : 1, configuration: configuration ?? emptyConfiguration },
    ],
    options: defaultRaftOptions,
  };
  const joining = new Joining(
    state as unknown as RaftState,
    {
      clock,
      metadata: { zone: 'a' },
      seeds: seeds.map((id) => ({ id, address: `${id}:1` })),
      address: () => 'here',
    },
    {
      send: (to, { address, lastLogIndex }) => told.push(`ask ${to} ${address} ${lastLogIndex}`),
      answered: (from, { answer }) => told.push(`${from} says ${answer}`),
      retired: () => told.push('retired'),
      bootWentBack: () => told.push('boot went back'),
      removed: () => told.push('removed'),
      hintsChanged: () => {},
    },
  );
  const answer = (outcome: JoinOutcome, leader: JoinAnswer['leader'] = null): void =>
    joining.onAnswer(
      {
        clusterId: 'c',
        group: 'default',
        from: { id: 's1', incarnation: 'i', boot: 1 },
        to: { id: 'n1', incarnation: 'i' },
        message: { kind: 'JoinAnswer', answer: outcome, boot: 3, leader },
      },
      { kind: 'JoinAnswer', answer: outcome, boot: 3, leader },
    );
  return { clock, told, state, joining, answer };
}

describe('asking to be let in', () => {
  it('is done by a replica that holds nothing, again and again, until it hears a leader', () => {
    const { clock, told, state, joining } = joiningOf(null);
    joining.look();
    clock.advance(299);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual(['ask s1 here 0', 'ask s2 here 0']);
    clock.advance(300);
    expect(told).toHaveLength(4);
    state.leader = { id: 's1', incarnation: 'i' };
    state.configurations = [{ index: 1, configuration: listing('s1', 'n1') }];
    state.log.lastIndex = 1;
    joining.look();
    clock.advance(10_000);
    expect(told).toHaveLength(4);
    expect([clock.timersSet, joining.hints]).toEqual([0, []]);
  });

  it('goes on while the leader is nobody that its own log lists, who could not be answered', () => {
    const { clock, told, state, joining, answer } = joiningOf(listing('n1', 'n2'));
    state.leader = { id: 'n7', incarnation: 'i' };
    joining.look();
    clock.advance(300);
    expect(told).toEqual(['ask n2 here 9', 'ask s1 here 9', 'ask s2 here 9']);
    answer('ask-leader', { id: 'n7', address: 'n7:1' });
    expect(joining.hints[0]).toEqual({ id: 'n7', incarnation: null, address: 'n7:1' });
    clock.advance(300);
    expect(told.slice(4)).toEqual(['ask n7 here 9', 'ask n2 here 9', 'ask s1 here 9', 'ask s2 here 9']);
  });

  it('is done by a member only after two of its longest election timeouts without a leader', () => {
    const { clock, told, joining, state } = joiningOf(listing('n1', 'n2'), []);
    joining.look();
    clock.advance(2 * defaultRaftOptions.electionTimeoutMaxMs - 1);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual(['ask n2 here 9']);
    state.leader = { id: 'n2', incarnation: 'i' };
    joining.look();
    state.leader = null;
    joining.look();
    clock.advance(2 * defaultRaftOptions.electionTimeoutMaxMs - 1);
    expect(told).toHaveLength(1);
  });

  it('is never done by a sole voter, by one that knows nobody, or by one that was removed', () => {
    const [sole, lonely, removed] = [joiningOf(listing('n1')), joiningOf(null, []), joiningOf(listing('n2'))];
    removed.state.removed = true;
    for (const { joining, clock, told } of [sole, lonely, removed]) {
      joining.look();
      clock.advance(60_000);
      expect(told).toEqual([]);
    }
  });

  it('takes the operator’s absence for a removal only where it was a member once', () => {
    const stranger = joiningOf(null);
    const member = joiningOf(listing('n1', 'n2'));
    const latestOnly = joiningOf(listing('n2'));
    latestOnly.state.configurations = [
      { index: 1, configuration: listing('n2') },
      { index: 5, configuration: listing('n2', 'n1') },
    ];
    for (const { joining, clock, answer } of [stranger, member, latestOnly]) {
      joining.look();
      clock.advance(2_000);
      answer('waiting-for-operator');
    }
    expect(stranger.told).not.toContain('removed');
    expect(member.told).toContain('removed');
    expect(latestOnly.told).not.toContain('removed');
    latestOnly.state.commitIndex = 5;
    latestOnly.answer('waiting-for-operator');
    expect(latestOnly.told).toContain('removed');
  });

  it('hears no answer that it did not ask for', () => {
    const { told, clock, joining, answer } = joiningOf(null);
    joining.look();
    answer('retired');
    expect(told).toEqual([]);
    clock.advance(300);
    joining.stop();
    answer('retired');
    expect(told).not.toContain('retired');
    expect(clock.timersSet).toBe(0);
  });
});
