/**
 * The rules of the paper (its figure 2 and 13, sections 5.x) and of the dissertation (4.x, 6.x, 9.6), one
 * sentence each. A divergence of the core names the one it broke.
 */
export const rules = {
  currentTerm: '5.1: a term never falls, and rises only to one that was heard, or by one for a campaign',
  carryTerm: '5.1: every message carries the current term of its sender',
  campaign: '5.2: only a voter that does not lead campaigns, in the next term and with its own vote',
  preVote: '9.6: a campaign follows the pre-votes of a quorum',
  grantPreVote:
    '9.6: a pre-vote is for a log that is not behind, in a later term, of whom no leader keeps off',
  oneVote: '5.2: one vote in a term, for whoever asked for it',
  upToDate: '5.4.1: a vote is only for a log that is at least as up to date',
  promise: '4.2.3: who promised a leader not to vote for others keeps the promise',
  votePersisted: 'figure 2: a vote is durable before it is told or counted',
  win: '5.2: a candidate wins by the votes of a quorum, each of a voter it lists',
  noop: '6.4: a leader begins its term with one empty entry of it',
  appendOnly: '5.3: a leader appends entries of its own term, and changes nothing before them',
  consistency: '5.3: entries are taken only where the log holds the one before them',
  conflict: '5.3: only a conflicting entry and those after it are deleted, and what is missing is appended',
  otherwise: 'figure 2: only appended entries and snapshots of the leader change the log of a follower',
  commitForward: 'figure 2: the commit index never falls',
  commitQuorum: '5.3: an entry is committed once a quorum of the configuration in force holds it durably',
  commitOwnTerm: '5.4.2: only entries of the own term are committed by counting',
  commitFollow:
    '5.3: a follower commits up to the commit index of its leader, where the logs are known equal',
  apply: 'figure 2: only committed entries are applied',
  sendOwnLog: '5.3: a leader sends entries of its own log, with the one before them',
  sendCommit: 'figure 2: a leader tells nobody of a commit index beyond its own',
  heartbeatCommit: '5.3: a heartbeat tells no commit index beyond what its receiver is known to hold',
  askForVotes: '5.2: a candidate asks with the end of its own log, once its own vote is durable',
  acknowledge: 'figure 2: what is acknowledged equals the log of the leader of this term, and is durable',
  inForce: '4.1: the latest configuration of the log is in force, committed or not',
  ownTermFirst: '4.1 (Ongaro 2015): no change before an entry of the own term is committed',
  oneChange: '4.3: no change before the last one is committed, except to give that one up',
  jointPath: '4.3: between two sets of voters lies their joint configuration',
  retired: 'identity: an incarnation that was replaced never comes back',
  leave: '4.2.2: a leader that the committed configuration does not list as voter steps down',
  snapshot: '5.1: a snapshot is of applied entries, with the configuration in force at its end',
  compact: '5.1: only what a durable snapshot covers leaves the log',
  install: '5.3 (figure 5.3): a snapshot replaces the log only where that does not hold its last entry',
  sendSnapshot: '5.3 (figure 5.3): a leader sends a snapshot that it holds',
  transfer: '3.10: a leader hands over to a voter that holds its whole log',
  waive:
    '3.10: only who was asked to campaign by the leader of the term before waives what was promised to it',
  askLeader: '6.4: who does not lead asks the leader that it hears whether it may read',
  readIndex:
    '6.4: a leader answers with its commit index, once an entry of its term is committed and a quorum has answered a round sent after it was asked',
  identity: 'identity: what is meant for another incarnation, or another cluster, changes nothing',
} as const;

export type Rule = keyof typeof rules;

export class Divergence extends Error {
  readonly rule: Rule;

  constructor(rule: Rule, who: string, what: string) {
    super(`rule "${rules[rule]}": ${who} ${what}`);
    this.name = 'Divergence';
    this.rule = rule;
  }
}

export function diverge(rule: Rule, { name }: { readonly name: string }, what: string): never {
  throw new Divergence(rule, name, what);
}
