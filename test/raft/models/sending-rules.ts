import type { Envelope, RaftMessage } from '../../../src/raft/message.ts';
import type { AbstractLog } from './abstract-log.ts';
import {
  entryAt,
  isUpToDate,
  lastIndex,
  lastTerm,
  latestConfigurations,
  sameEntry,
  stablePrefix,
  termAt,
} from './abstract-log.ts';
import type { Dissertation } from './dissertation.ts';
import { decides, list } from './naive-quorum.ts';
import { diverge, type Rule } from './rules.ts';
import type { Server, Step } from './server.ts';
import { questionKey, snapshotKey } from './server.ts';

interface Sent {
  readonly envelope: Envelope;
  readonly step: Step;
  /** Before or after the step. */
  readonly wasLeader: boolean;
  /** The log it spoke of: before a prefix of it was forgotten. */
  readonly log: AbstractLog;
}

/** What a server that is in this state after a step may have said in it. */
export function checkSent(model: Dissertation, server: Server, sent: Sent): void {
  const { message, to } = sent.envelope;
  if (!('term' in message)) return;
  checkTerm(server, message, sent.step);
  const what = `says ${message.kind} to ${to.id}`;
  const require = (holds: boolean, rule: Rule, why: string): void => {
    if (!holds) diverge(rule, server, `${what}: ${why}`);
  };
  switch (message.kind) {
    case 'PreVoteResponse': {
      const asked = sent.step.heard?.message;
      if (!message.granted || asked?.kind !== 'RequestPreVote') return;
      const free = sent.step.now >= (model.promises.get(server.pair)?.until ?? 0);
      const upToDate = isUpToDate(server.log, asked.lastLogIndex, asked.lastLogTerm);
      require(server.role !== 'leader' && free && upToDate, 'grantPreVote', 'granted');
      return;
    }
    case 'RequestVote': {
      const isEnd =
        message.lastLogIndex === lastIndex(sent.log) && message.lastLogTerm === lastTerm(sent.log);
      require(server.role === 'candidate' || server.role === 'leader', 'askForVotes', `it is ${server.role}`);
      require(isEnd, 'askForVotes', `of another end, ${message.lastLogIndex}/${message.lastLogTerm}`);
      require(isVoteStable(server, server.pair), 'votePersisted', 'its own vote is not durable');
      require(!message.leadershipTransfer || server.byTransfer, 'waive', 'nobody asked it to campaign');
      return;
    }
    case 'VoteResponse':
      if (message.granted) require(isVoteStable(server, nameOf(to)), 'votePersisted', 'granted, not durable');
      return;
    case 'AppendEntries': {
      require(sent.wasLeader, 'sendOwnLog', 'it does not lead');
      const { prevLogIndex, prevLogTerm, entries } = message;
      require(termAt(sent.log, prevLogIndex) ===
        prevLogTerm, 'sendOwnLog', `after ${prevLogIndex}/${prevLogTerm}`);
      const own = entries.every((entry) => {
        const held = entryAt(sent.log, entry.index);
        return held !== undefined && sameEntry(held, entry);
      });
      require(own, 'sendOwnLog', 'entries that it does not hold');
      require(message.leaderCommit <=
        server.commitIndex, 'sendCommit', `commit index ${message.leaderCommit}`);
      return;
    }
    case 'Heartbeat': {
      require(sent.wasLeader, 'sendOwnLog', 'it does not lead');
      require(message.leaderCommit <=
        server.commitIndex, 'sendCommit', `commit index ${message.leaderCommit}`);
      const known = server.matchIndex.get(nameOf(to)) ?? 0;
      require(message.leaderCommit <= known, 'heartbeatCommit', `${message.leaderCommit}, known is ${known}`);
      server.lastRound = message.round;
      return;
    }
    case 'AppendEntriesResponse':
      if (message.accepted) checkAcknowledgement(server, nameOf(to), message, require);
      return;
    case 'HeartbeatResponse':
      if (message.round === 0) return;
      checkAcknowledgement(server, nameOf(to), message, require);
      notePromise(model, server, nameOf(to), sent.step.now + message.promiseMs);
      return;
    case 'InstallSnapshot':
      require(sent.wasLeader, 'sendSnapshot', 'it does not lead');
      require(server.snapshots.has(snapshotKey(message.snapshot)), 'sendSnapshot', 'it holds no such one');
      return;
    case 'TimeoutNow': {
      const { configuration } = latestConfigurations(sent.log).latest;
      const target = nameOf(to);
      const again = server.handedOverTo.has(target);
      const holds = (server.matchIndex.get(target) ?? 0) >= lastIndex(sent.log);
      const isListed = [...configuration.voters, ...configuration.outgoing].some(
        (one) => nameOf(one) === target,
      );
      require(sent.wasLeader, 'transfer', 'it does not lead');
      require(again || (holds && isListed), 'transfer', `match ${server.matchIndex.get(target)}`);
      server.handedOverTo.add(target);
      return;
    }
    case 'ReadIndexRequest':
      require(server.role !== 'leader' &&
        server.leader === nameOf(to), 'askLeader', 'which it does not hear');
      return;
    case 'ReadIndexResponse': {
      const { configuration } = latestConfigurations(sent.log).latest;
      const since = server.questions.get(questionKey(nameOf(to), message.readId)) ?? Number.POSITIVE_INFINITY;
      const confirming = new Set([server.pair]);
      for (const [name, round] of server.answeredRounds) if (round > since) confirming.add(name);
      const { index } = message;
      require(sent.wasLeader, 'readIndex', 'it does not lead');
      require(index === server.commitIndex, 'readIndex', `${index}, its own is ${server.commitIndex}`);
      require(index >= (server.termStart ?? 0), 'readIndex', 'nothing of its term is committed');
      require(decides(confirming, configuration), 'readIndex', `confirmed by ${list(confirming)}`);
      return;
    }
    default:
  }
}

function checkTerm(server: Server, message: RaftMessage, { heard }: Step): void {
  const asked = heard?.message;
  let term = server.currentTerm;
  if (message.kind === 'RequestPreVote') term += 1;
  if (message.kind === 'PreVoteResponse' && message.granted && asked?.kind === 'RequestPreVote') {
    term = asked.term;
  }
  if (message.term === term && term >= server.currentTerm) return;
  diverge('carryTerm', server, `says ${message.kind} of term ${message.term}, not ${term}`);
}

function checkAcknowledgement(
  server: Server,
  to: string,
  { matchIndex, verifiedIndex }: { readonly matchIndex: number; readonly verifiedIndex: number },
  require: (holds: boolean, rule: Rule, why: string) => void,
): void {
  const { stable, log } = server;
  require(server.role !== 'leader' && server.leader === to, 'acknowledge', 'which does not lead');
  require(stable.currentTerm ===
    server.currentTerm, 'acknowledge', `its term on disk is ${stable.currentTerm}`);
  const durable = stablePrefix(log, stable.log);
  require(matchIndex <= durable, 'acknowledge', `match ${matchIndex}, on disk is ${durable}`);
  const equal = server.verifiedIndex;
  require(matchIndex <= equal, 'acknowledge', `match ${matchIndex}, known equal is ${equal}`);
  require(verifiedIndex <= equal, 'acknowledge', `verified ${verifiedIndex}, known equal is ${equal}`);
}

function isVoteStable({ stable, currentTerm }: Server, candidate: string): boolean {
  return stable.currentTerm === currentTerm && stable.votedFor === candidate;
}

function notePromise({ promises }: Dissertation, server: Server, to: string, until: number): void {
  const known = promises.get(server.pair);
  if (known === undefined || known.until < until || known.to !== to) promises.set(server.pair, { to, until });
}

function nameOf({ id, incarnation }: Envelope['to']): string {
  return `${id}/${incarnation}`;
}
