import { describe, expect, it } from 'vitest';
import { AddressBook } from '../../src/node/address-book.ts';
import { type Configuration, emptyConfiguration, type Member } from '../../src/raft/configuration.ts';
import type { RaftState } from '../../src/raft/state.ts';
import type { Peer } from '../../src/transport/contract.ts';

const member = (id: string, incarnation = 'i', address = id): Member => ({ id, incarnation, address });
const configuration = (id: string, voters: Member[], outgoing: Member[] = []): Configuration => ({
  ...emptyConfiguration,
  id,
  voters,
  outgoing,
});

function bookOf(...configurations: Configuration[]) {
  const told: string[][] = [];
  const show = ({ id, incarnation, address }: Peer): string => `${id}/${incarnation ?? '?'}@${address}`;
  const book = new AddressBook({ setPeers: (peers) => told.push(peers.map(show)) }, () => 'n1');
  const state = {
    self: { id: 'n1', incarnation: 'i', boot: 1 },
    configurations: configurations.map((one, position) => ({ index: position + 1, configuration: one })),
    commitIndex: configurations.length,
    newcomers: [] as RaftState['newcomers'],
    progress: [] as { departing: object | null }[],
  };
  const follow = (hints: readonly Peer[] = noHints) => book.follow(state as unknown as RaftState, hints);
  return { state, told, follow };
}

const noHints: readonly Peer[] = [];
const newcomer = (id: string, incarnation: string, address = id) =>
  ({ member: { id, incarnation }, address }) as unknown as RaftState['newcomers'][number];

describe('whom the transport is told of', () => {
  it('is everybody listed but this replica, told once while nothing changes', () => {
    const listed = configuration('1.1', [member('n1'), member('n2'), member('n3')]);
    const { told, follow } = bookOf(listed);
    expect(follow()).toBe(listed);
    expect(told).toEqual([['n2/i@n2', 'n3/i@n3']]);
    expect(follow()).toBeNull();
    expect(told).toHaveLength(1);
  });

  it('includes both pairs of one id, unless one of them was at this address', () => {
    const { told, follow } = bookOf(
      configuration('1.1', [
        member('n1', 'old'),
        member('n1'),
        member('n2', 'old'),
        member('n2', 'new', 'there'),
      ]),
    );
    follow();
    expect(told).toEqual([['n2/old@n2', 'n2/new@there']]);
  });

  it('includes who asks to be let in, but leaves a member where the configuration has it', () => {
    const { state, told, follow } = bookOf(configuration('1.1', [member('n1'), member('n2')]));
    follow();
    state.newcomers = [newcomer('n2', 'i', 'a-copy'), newcomer('n4', 'x'), newcomer('n1', 'double', 'there')];
    expect(follow()).toBeNull();
    expect(told.at(-1)).toEqual(['n2/i@n2', 'n4/x@n4', 'n1/double@there']);
    state.newcomers = [...state.newcomers];
    follow();
    expect(told).toHaveLength(2);
  });

  it('puts first whom it asks itself', () => {
    const { told, follow } = bookOf(configuration('1.1', [member('n1'), member('n2')]));
    follow([{ id: 'n2', incarnation: null, address: 'moved' }]);
    expect(told).toEqual([['n2/?@moved', 'n2/i@n2']]);
  });

  it('includes who left with the last configuration, until it is committed and they were told', () => {
    const joint = configuration('1.1', [member('n2')], [member('n1'), member('n2'), member('n3')]);
    const { state, told, follow } = bookOf(joint, configuration('2.1', [member('n1'), member('n2')]));
    state.commitIndex = 1;
    follow();
    expect(told.at(-1)).toEqual(['n2/i@n2', 'n3/i@n3']);
    state.commitIndex = 2;
    state.progress = [{ departing: {} }];
    follow();
    expect(told).toHaveLength(1);
    state.progress = [{ departing: null }];
    follow();
    expect(told.at(-1)).toEqual(['n2/i@n2']);
  });
});
