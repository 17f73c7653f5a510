import { expect, it } from 'vitest';
import { defaultRaftOptions } from '../../src/raft/options.ts';
import { Raft } from '../../src/raft/raft.ts';

it('a replica that learns from its first append that it is a voter campaigns when nothing follows', () => {
  const self = { id: 'n2', incarnation: 'b'.repeat(16), boot: 1 };
  const leader = { id: 'n1', incarnation: 'a'.repeat(16), boot: 1 };
  const clusterId = 'c'.repeat(16);
  const core = new Raft(
    {
      self,
      group: 'default',
      clusterId,
      options: defaultRaftOptions,
      now: 0,
      recovered: {
        hardState: { term: 0, votedFor: null },
        floor: { index: 0, term: 0, configuration: null },
        lastIndex: 0,
        runs: [],
        configurations: [],
      },
      appliedIndex: 0,
    },
    { integer: (from) => from },
  );
  expect(core.deadline).toBeNull();
  const voters = [leader, self].map(({ id, incarnation }) => ({ id, incarnation, address: id }));
  core.receive(10, {
    clusterId,
    group: 'default',
    from: leader,
    to: { id: self.id, incarnation: self.incarnation },
    message: {
      kind: 'AppendEntries',
      term: 2,
      prevLogIndex: 0,
      prevLogTerm: 0,
      entries: [
        {
          kind: 'configuration',
          index: 1,
          term: 1,
          clusterId,
          configuration: { voters, outgoing: [], learners: [] },
        },
      ],
      leaderCommit: 0,
    },
  });
  expect(core.deadline).toBe(10 + defaultRaftOptions.electionTimeoutMinMs);
});
