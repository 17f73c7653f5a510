import { describe, expect, test } from 'vitest';
import type { Configuration } from '../../src/raft/configuration.ts';
import { isJoint } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/entry.ts';
import { currentConfiguration } from '../../src/raft/membership.ts';
import type { Envelope, Message } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import type { Progress } from '../../src/raft/progress.ts';
import type { RaftState } from '../../src/raft/state.ts';
import { Cluster } from './cluster.ts';
import { snapshotOf, storeSnapshot } from './fake-disk.ts';
import { Lockstep } from './models/lockstep.ts';
import { Divergence, type Rule, rules } from './models/rules.ts';
import type { Observed } from './models/server.ts';
import { clusterId, command, group, memberOf, replica } from './sample-log.ts';

/** Three servers and two that may join, with a leader a that committed `x` and `y`; and ways to do wrong. */
class Sabotage {
  readonly lockstep: Lockstep;
  readonly cluster: Cluster;

  constructor(options: Partial<RaftOptions> = {}) {
    this.cluster = new Cluster([...'abcde'], { founders: [...'abc'], options });
    this.lockstep = new Lockstep(this.cluster);
    this.lockstep.elect('a');
    this.cluster.propose('a', 'x', 'y');
    this.lockstep.settle();
  }

  /** What no input does: the live state of a core, changed from outside. */
  state(id: string): RaftState {
    return this.cluster.core(id).state;
  }

  drain(id: string): void {
    this.cluster.drain(this.cluster.replica(id));
  }

  hear(id: string, from: string, message: Message, incarnation = `${id}-incarnation`): void {
    const sender = this.cluster.replica(from).disk.boot;
    this.cluster.deliver({
      clusterId,
      group,
      from: replica(from, sender),
      to: { id, incarnation },
      message,
    });
  }

  /** `of` is the end of the log that the candidate shows. */
  askForVote(id: string, from: string, term: number, of = this.state(id).log.lastIndex): void {
    const lastLogTerm = of === 0 ? 0 : this.state(id).hardState.term;
    this.hear(id, from, {
      kind: 'RequestVote',
      term,
      lastLogIndex: of,
      lastLogTerm,
      leadershipTransfer: false,
    });
  }

  lie(id: string, change: (observed: Observed) => Partial<Observed> | null): void {
    this.lockstep.tamper = (observed, target) => {
      const lies = target.id === id ? change(observed) : null;
      return lies === null ? observed : { ...observed, ...lies };
    };
  }

  /** Another message than the core's leaves. */
  lieIn<Kind extends Message['kind']>(
    id: string,
    kind: Kind,
    change: (message: Extract<Message, { kind: Kind }>) => Message,
  ): void {
    this.lie(id, ({ sent }) => ({
      sent: sent.map((envelope) => ({
        ...envelope,
        message:
          envelope.message.kind === kind
            ? change(envelope.message as Extract<Message, { kind: Kind }>)
            : envelope.message,
      })),
    }));
  }

  /** What is under way of one kind from one to another arrives, and nothing else. */
  settleOnly(from: string, to: string, kind: Message['kind']): void {
    for (const envelope of [...this.cluster.network]) {
      const { from: sender, to: receiver, message } = envelope;
      if (sender.id === from && receiver.id === to && message.kind === kind) this.cluster.deliver(envelope);
    }
  }

  /** a appends what nobody else gets, and b is elected without it. */
  forkLogs(): void {
    const others = ({ from, to }: Envelope): boolean => from.id !== 'a' && to.id !== 'a';
    this.cluster.propose('a', 'only here');
    this.lockstep.settle(() => false);
    this.lockstep.elect('b', others);
  }

  change(id: string, change: Parameters<ReturnType<Cluster['core']>['proposeMembership']>[1]): void {
    const result = this.cluster.core(id).proposeMembership(this.cluster.now, change, null);
    if (!result.accepted) throw new Error(result.why);
    this.drain(id);
  }

  run(ms: number, passes: (envelope: Envelope) => boolean = () => true): void {
    for (const end = this.cluster.now + ms; this.cluster.now < end; ) {
      this.cluster.run(20, passes);
      this.lockstep.settle(passes);
    }
  }

  configuration(id: string): Configuration {
    return currentConfiguration(this.state(id));
  }

  /** The core takes its latest configuration for another. */
  miscount(id: string, change: Partial<Configuration>): void {
    const { configurations } = this.state(id);
    const latest = configurations.at(-1);
    if (latest === undefined) throw new Error(`${id} has no configuration`);
    configurations.splice(-1, 1, { ...latest, configuration: { ...latest.configuration, ...change } });
  }
}

const withoutPromises = { checkQuorum: false, preVote: false };

const bugs: readonly {
  readonly rule: Rule;
  readonly name: string;
  readonly options?: Partial<RaftOptions>;
  readonly plant: (s: Sabotage) => void;
}[] = [
  {
    rule: 'currentTerm',
    name: 'a term that nobody told and no campaign began',
    plant: (s) => {
      s.state('b').hardState = { term: 9, votedFor: null };
      s.drain('b');
    },
  },
  {
    rule: 'currentTerm',
    name: 'a term that falls',
    plant: (s) => {
      s.lie('b', ({ currentTerm }) => ({ currentTerm: currentTerm - 1 }));
      s.run(200);
    },
  },
  {
    rule: 'carryTerm',
    name: 'a heartbeat of the term before',
    plant: (s) => {
      s.lieIn('a', 'Heartbeat', (message) => ({ ...message, term: message.term - 1 }));
      s.run(200);
    },
  },
  {
    rule: 'campaign',
    name: 'a server that campaigns as the voter it is not',
    plant: (s) => {
      const { configurations, timers } = s.state('d');
      configurations.push({
        index: 0,
        configuration: { id: '1.1', voters: [memberOf('d')], outgoing: [], learners: [], retired: [] },
      });
      timers.election = s.cluster.now;
      s.cluster.core('d').tick(s.cluster.now);
      s.drain('d');
    },
  },
  {
    rule: 'preVote',
    name: 'a campaign before anybody was asked whether it could succeed',
    plant: (s) => {
      s.lie('b', ({ role, currentTerm }) =>
        role === 'pre-candidate'
          ? { role: 'candidate', currentTerm: currentTerm + 1, votedFor: 'b/b-incarnation', sent: [] }
          : null,
      );
      s.cluster.fire('b');
    },
  },
  {
    rule: 'grantPreVote',
    name: 'a pre-vote in spite of a leader',
    plant: (s) => {
      const { hardState, log } = s.state('b');
      s.run(200);
      s.state('b').leaderHeardAt = null;
      const end = { lastLogIndex: log.lastIndex, lastLogTerm: hardState.term };
      s.hear('b', 'c', { kind: 'RequestPreVote', term: hardState.term + 1, ...end });
    },
  },
  {
    rule: 'oneVote',
    name: 'a second vote in one term',
    options: withoutPromises,
    plant: (s) => {
      const { term } = s.state('b').hardState;
      s.state('b').hardState = { term, votedFor: null };
      s.state('b').durable.hardState = { term, votedFor: null };
      s.askForVote('b', 'c', term);
    },
  },
  {
    rule: 'upToDate',
    name: 'a vote for a log that is behind',
    options: withoutPromises,
    plant: (s) => {
      const { term } = s.state('b').hardState;
      s.lie('b', () => ({ currentTerm: term + 1, votedFor: 'c/c-incarnation' }));
      s.askForVote('b', 'c', term + 1, 0);
    },
  },
  {
    rule: 'promise',
    name: 'a vote within the time that was promised to the leader',
    plant: (s) => {
      s.run(200);
      s.state('b').leaderHeardAt = null;
      s.askForVote('b', 'c', s.state('b').hardState.term + 1);
    },
  },
  {
    rule: 'votePersisted',
    name: 'a vote told before it is durable',
    options: withoutPromises,
    plant: (s) => {
      s.askForVote('b', 'c', s.state('b').hardState.term + 1);
      s.state('b').durable.hardState = s.state('b').hardState;
      s.drain('b');
    },
  },
  {
    rule: 'win',
    name: 'a vote counted that never came',
    options: withoutPromises,
    plant: (s) => {
      s.cluster.fire('b');
      s.state('b').votes.push({ member: memberOf('c'), granted: true });
      s.cluster.persist('b');
    },
  },
  {
    rule: 'win',
    name: 'the vote of a server that is no voter',
    options: withoutPromises,
    plant: (s) => {
      s.cluster.fire('b');
      const voters = [memberOf('b'), memberOf('c'), memberOf('d')];
      s.miscount('b', { voters });
      s.cluster.persist('b');
      s.hear('b', 'd', { kind: 'VoteResponse', term: s.state('b').hardState.term, granted: true });
    },
  },
  {
    rule: 'noop',
    name: 'a term that begins with a command',
    options: withoutPromises,
    plant: (s) => {
      s.lie('b', ({ role, log, currentTerm }) =>
        role === 'leader' ? { log: withLast(log, command(log.entries.length, currentTerm)) } : null,
      );
      s.lockstep.elect('b');
    },
  },
  {
    rule: 'appendOnly',
    name: 'a leader that deletes an entry of its own',
    plant: (s) => {
      s.lie('a', ({ log }) => ({ log: { ...log, entries: log.entries.slice(0, -1) } }));
      s.run(200);
    },
  },
  {
    rule: 'consistency',
    name: 'entries taken after one that the log does not hold',
    options: withoutPromises,
    plant: (s) => {
      s.forkLogs();
      const { term } = s.state('b').hardState;
      const { lastIndex } = s.state('a').log;
      const [run] = s.state('a').log.runs.slice(-1);
      if (run === undefined) throw new Error('an empty log');
      s.state('a').log.runs.push({ term, firstIndex: lastIndex });
      s.hear('a', 'b', {
        kind: 'AppendEntries',
        term,
        prevLogIndex: lastIndex,
        prevLogTerm: term,
        entries: [command(lastIndex + 1, term)],
        leaderCommit: 0,
      });
    },
  },
  {
    rule: 'conflict',
    name: 'a conflicting entry replaced, and the one after it left',
    options: withoutPromises,
    plant: (s) => {
      s.cluster.propose('a', 'only here');
      s.forkLogs();
      const { entries } = s.cluster.replica('a').disk;
      const end = entries.slice(-1);
      s.lie('a', ({ log, currentTerm }) =>
        log.entries.at(-1)?.term === currentTerm && log.entries.length < entries.length
          ? { log: { ...log, entries: [...log.entries, ...end] } }
          : null,
      );
      s.run(300);
    },
  },
  {
    rule: 'otherwise',
    name: 'a log that changes by itself',
    plant: (s) => {
      s.lie('b', ({ log }) => ({ log: { ...log, entries: log.entries.slice(0, -1) } }));
      s.cluster.fire('b');
    },
  },
  {
    rule: 'commitForward',
    name: 'a commit index that falls',
    plant: (s) => {
      s.run(200);
      s.lie('b', ({ commitIndex }) => ({ commitIndex: commitIndex - 1, applyingIndex: 0 }));
      s.run(200);
    },
  },
  {
    rule: 'commitQuorum',
    name: 'an entry committed that is on one disk of three',
    plant: (s) => {
      s.cluster.propose('a', 'z');
      const { progress, log } = s.state('a');
      for (const one of progress) believe(one, log.lastIndex);
      s.cluster.persist('a');
    },
  },
  {
    rule: 'commitQuorum',
    name: 'a joint configuration counted by the new voters alone',
    plant: (s) => {
      const isNews = ({ to, message }: Envelope): boolean =>
        'bc'.includes(to.id) && message.kind === 'AppendEntries' && message.entries.some(isJointEntry);
      s.change('a', { add: [memberOf('d'), memberOf('e')], remove: ['b', 'c'] });
      for (let turn = 0; turn < 100 && !isJoint(s.configuration('a')); turn += 1) {
        s.cluster.fire('a');
        s.lockstep.settle((envelope) => !isNews(envelope) && !isJoint(s.configuration('a')));
      }
      s.miscount('a', { outgoing: [] });
      s.run(500, (envelope) => !isNews(envelope));
    },
  },
  {
    rule: 'commitOwnTerm',
    name: 'an entry of an older term committed by counting (figure 8)',
    options: withoutPromises,
    plant: (s) => {
      s.cluster.propose('a', 'on all disks, and not committed');
      s.lockstep.settle(({ to }) => to.id !== 'a');
      s.lockstep.elect(
        'b',
        ({ message }) => message.kind.endsWith('Vote') || message.kind === 'VoteResponse',
      );
      s.state('b').termStartIndex = 0;
      s.cluster.run(150);
      s.cluster.settle();
    },
  },
  {
    rule: 'commitFollow',
    name: "a follower that takes the leader's commit index for its own old entries",
    options: withoutPromises,
    plant: (s) => {
      s.forkLogs();
      const { term } = s.state('b').hardState;
      const { lastIndex } = s.state('a').log;
      s.hear('a', 'b', { kind: 'Heartbeat', term, round: 1, leaderCommit: 0, freshness: null });
      s.state('a').verifiedIndex = lastIndex;
      s.hear('a', 'b', { kind: 'Heartbeat', term, round: 2, leaderCommit: lastIndex, freshness: null });
    },
  },
  {
    rule: 'apply',
    name: 'an entry applied before it is committed',
    plant: (s) => {
      s.lie('b', ({ commitIndex }) => ({ applyingIndex: commitIndex + 1 }));
      s.run(200);
    },
  },
  {
    rule: 'sendOwnLog',
    name: 'an append that names another entry before its own',
    plant: (s) => {
      s.lieIn('a', 'AppendEntries', (message) => ({ ...message, prevLogTerm: message.prevLogTerm - 1 }));
      s.cluster.propose('a', 'z');
    },
  },
  {
    rule: 'sendCommit',
    name: 'an append with a commit index that the leader has not reached',
    plant: (s) => {
      s.lieIn('a', 'AppendEntries', (message) => ({ ...message, leaderCommit: message.leaderCommit + 1 }));
      s.cluster.propose('a', 'z');
    },
  },
  {
    rule: 'heartbeatCommit',
    name: 'a heartbeat that commits what its receiver may not hold',
    plant: (s) => {
      const { progress, commitIndex } = s.state('a');
      const { lastIndex } = s.state('a').log;
      s.cluster.crash('c');
      s.cluster.propose('a', 'z');
      s.lockstep.settle();
      expect(s.state('a').commitIndex).toBeGreaterThan(commitIndex);
      const silent = progress.find(({ member }) => member.id === 'c');
      if (silent !== undefined) believe(silent, lastIndex + 1);
      s.run(200);
    },
  },
  {
    rule: 'askForVotes',
    name: 'a candidate that shows a longer log than it has',
    options: withoutPromises,
    plant: (s) => {
      s.lieIn('b', 'RequestVote', (message) => ({ ...message, lastLogIndex: message.lastLogIndex + 1 }));
      s.lockstep.elect('b');
    },
  },
  {
    rule: 'acknowledge',
    name: 'an entry acknowledged before it is durable',
    plant: (s) => {
      s.cluster.propose('a', 'z');
      s.cluster.settle();
      s.state('b').durable.index = s.state('b').log.lastIndex;
      s.drain('b');
    },
  },
  {
    rule: 'inForce',
    name: 'a configuration that comes into force only once it is committed',
    plant: (s) => {
      s.change('a', { update: [{ id: 'c', address: 'elsewhere:1' }] });
      s.cluster.onStep = ((onStep) => (target) => {
        if (target.id === 'b' && s.state('b').configurations.length > 1) s.state('b').configurations.pop();
        onStep(target);
      })(s.cluster.onStep);
      s.lockstep.settle();
    },
  },
  {
    rule: 'ownTermFirst',
    name: 'a change before an entry of the own term is committed (Ongaro 2015)',
    options: withoutPromises,
    plant: (s) => {
      s.lockstep.elect(
        'b',
        ({ message }) => message.kind.endsWith('Vote') || message.kind === 'VoteResponse',
      );
      s.state('b').termStartIndex = 0;
      s.change('b', { add: [memberOf('d')] });
    },
  },
  {
    rule: 'oneChange',
    name: 'a change after one that is not committed',
    plant: (s) => {
      s.change('a', { update: [{ id: 'c', address: 'elsewhere:1' }] });
      const { configurations } = s.state('a');
      const latest = configurations.at(-1);
      if (latest === undefined) throw new Error('no configuration');
      s.state('a').change = null;
      configurations.splice(-1, 1, { ...latest, index: 1 });
      s.change('a', { demote: ['c'] });
    },
  },
  {
    rule: 'jointPath',
    name: 'other voters without a joint configuration',
    plant: (s) => {
      s.change('a', { add: [memberOf('d')] });
      const { change } = s.state('a');
      if (change === null) throw new Error('no change');
      Object.assign(change.plan, { needsJoint: false });
      s.run(1000);
    },
  },
  {
    rule: 'retired',
    name: 'a replaced incarnation that is let in again',
    plant: (s) => {
      const again = { ...memberOf('d'), incarnation: 'd-incarnation-2' };
      s.change('a', { add: [{ ...again, role: 'learner' }] });
      s.run(300);
      s.change('a', { replace: [{ id: 'd', by: memberOf('d') }] });
      s.run(300);
      expect(s.configuration('a').retired).toHaveLength(1);
      s.miscount('a', { retired: [] });
      s.change('a', { replace: [{ id: 'd', by: again }] });
    },
  },
  {
    rule: 'leave',
    name: 'a leader that stays though it removed itself',
    plant: (s) => {
      s.lie('a', ({ role }) => (role === 'follower' ? { role: 'leader' } : null));
      s.change('a', { remove: ['a'] });
      s.run(1000);
    },
  },
  {
    rule: 'snapshot',
    name: 'a snapshot of what is not committed',
    plant: (s) => {
      s.cluster.propose('a', 'z');
      const { index, term, configuration } = {
        ...s.cluster.snapshotOf('a', 1).meta,
        index: s.state('a').log.lastIndex,
      };
      storeSnapshot(s.cluster.replica('a').disk, snapshotOf([], { index, term, configuration }));
      s.drain('a');
    },
  },
  {
    rule: 'compact',
    name: 'a log forgotten without a snapshot',
    plant: (s) => {
      const { applied } = s.cluster.replica('a');
      const { meta } = s.cluster.snapshotOf('a', applied.length);
      s.cluster.core('a').snapshotTaken(s.cluster.now, meta, meta.index + 1);
      s.drain('a');
    },
  },
  {
    rule: 'install',
    name: 'a snapshot that replaces a log which ends elsewhere than it does',
    plant: (s) => {
      s.lie('b', ({ log }) => ({ log: { floor: { ...log.floor, term: 9 }, entries: [] } }));
      s.cluster.compact('b');
    },
  },
  {
    rule: 'sendSnapshot',
    name: 'a snapshot sent as another one',
    plant: (s) => {
      s.cluster.compact('a');
      s.lockstep.settle();
      s.lieIn('a', 'InstallSnapshot', (message) => ({
        ...message,
        snapshot: { ...message.snapshot, digest: 'another' },
      }));
      s.change('a', { add: [memberOf('d')] });
      s.run(1000);
    },
  },
  {
    rule: 'identity',
    name: 'a vote that an earlier incarnation was asked for',
    options: withoutPromises,
    plant: (s) => {
      const { term } = s.state('b').hardState;
      s.lie('b', () => ({ currentTerm: term + 1, votedFor: 'c/c-incarnation' }));
      const { lastIndex } = s.state('b').log;
      const end = { lastLogIndex: lastIndex, lastLogTerm: term };
      s.hear(
        'b',
        'c',
        { kind: 'RequestVote', term: term + 1, ...end, leadershipTransfer: false },
        'b-incarnation-0',
      );
    },
  },
  {
    rule: 'transfer',
    name: 'a TimeoutNow to a peer that lacks an entry',
    plant: (s) => {
      s.cluster.propose('a', 'z');
      const progress = s.state('a').progress.find(({ member }) => member.id === 'b');
      if (progress !== undefined) believe(progress, s.state('a').log.lastIndex);
      s.cluster.transfer('a', 'b');
    },
  },
  {
    rule: 'waive',
    name: 'a campaign of its own that waives promises',
    options: withoutPromises,
    plant: (s) => {
      s.lieIn('b', 'RequestVote', (message) => ({ ...message, leadershipTransfer: true }));
      s.lockstep.elect('b');
    },
  },
  {
    rule: 'promise',
    name: 'a campaign by transfer that nobody asked for, in spite of a promise',
    options: { preVote: false },
    plant: (s) => {
      s.run(200);
      const { state } = s.cluster.core('b');
      state.timers.election = s.cluster.now;
      s.cluster.core('b').tick(s.cluster.now);
      s.drain('b');
    },
  },
  {
    rule: 'upToDate',
    name: 'a vote for a transfer to a shorter log',
    plant: (s) => {
      const { hardState } = s.state('b');
      s.lie('b', () => ({ currentTerm: hardState.term + 1, votedFor: 'c/c-incarnation' }));
      s.hear('b', 'c', {
        kind: 'RequestVote',
        term: hardState.term + 1,
        lastLogIndex: 1,
        lastLogTerm: 1,
        leadershipTransfer: true,
      });
    },
  },
  {
    rule: 'askLeader',
    name: 'a question to somebody that does not lead',
    plant: (s) => {
      s.state('b').leader = memberOf('c');
      s.cluster.read('b');
    },
  },
  {
    rule: 'readIndex',
    name: 'an answer by the round that was under way before the question came',
    plant: (s) => {
      s.cluster.read('a');
      s.cluster.read('b');
      s.settleOnly('b', 'a', 'ReadIndexRequest');
      for (const read of s.state('a').reads) read.round = s.state('a').lastRound;
      s.settleOnly('a', 'c', 'Heartbeat');
      s.settleOnly('c', 'a', 'HeartbeatResponse');
    },
  },
  {
    rule: 'readIndex',
    name: 'an answer with another index than what is committed',
    plant: (s) => {
      s.lieIn('a', 'ReadIndexResponse', (message) => ({ ...message, index: message.index - 1 }));
      s.cluster.read('b');
      s.lockstep.settle();
    },
  },
  {
    rule: 'readIndex',
    name: 'an answer before an entry of the own term is committed',
    plant: (s) => {
      s.cluster.crash('a');
      s.lockstep.elect('b', ({ message }) => message.kind.includes('Vote'));
      s.cluster.fire('b');
      s.lockstep.settle(({ message }) => message.kind.includes('Heartbeat'));
      const readId = s.cluster.read('c');
      const { hardState, commitIndex, self } = s.state('b');
      const message = {
        kind: 'ReadIndexResponse',
        term: hardState.term,
        readId,
        index: commitIndex,
      } as const;
      s.lie('b', ({ sent }) => ({
        sent: [...sent, { clusterId, group, from: self, to: s.state('c').self, message }],
      }));
      s.settleOnly('c', 'b', 'ReadIndexRequest');
    },
  },
];

/** A leader thinks that a peer holds its log up to `matchIndex`. */
function believe(progress: Progress, matchIndex: number): void {
  Object.assign(progress, { matchIndex, nextIndex: matchIndex + 1, inflight: [], inflightBytes: 0 });
}

function isJointEntry(entry: Entry): boolean {
  return entry.kind === 'configuration' && isJoint(entry.configuration);
}

function withLast(log: Observed['log'], entry: Entry): Observed['log'] {
  return { ...log, entries: [...log.entries.slice(0, -1), { ...entry, index: log.entries.length }] };
}

describe('the model of the dissertation names the rule that is broken', () => {
  test.each(bugs)('$rule: $name', ({ rule, options, plant }) => {
    const sabotage = new Sabotage(options);
    let caught: unknown = null;
    try {
      plant(sabotage);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(Divergence);
    if (!(caught instanceof Divergence)) return;
    expect(caught.rule, caught.message).toBe(rule);
    expect(caught.message).toMatch(/^rule "[^"]+": [a-e] /);
  });

  test('each of its rules was seen to be broken', () => {
    expect([...new Set(bugs.map(({ rule }) => rule))].sort()).toEqual(Object.keys(rules).sort());
  });

  test('the same stories without a bug pass', () => {
    for (const options of [{}, withoutPromises]) {
      const story = new Sabotage(options);
      story.change('a', { add: [memberOf('d')] });
      story.run(1000);
      story.cluster.compact('a');
      story.change('a', { remove: ['a'], add: [memberOf('e')] });
      story.run(3000);
      story.lockstep.elect('b');
      story.cluster.read('c');
      story.cluster.transfer('b', 'c');
      story.run(1000);
      story.cluster.read('b');
      story.lockstep.elect('b');
      story.cluster.propose('b', 'after all that');
      story.run(500);
      for (const id of 'bcde')
        expect(story.cluster.replica(id).applied.at(-1), id).toMatchObject({ kind: 'command' });
    }
  });
});
