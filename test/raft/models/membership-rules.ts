import type { Configuration } from '../../../src/raft/configuration.ts';
import type { ConfigurationEntry, Index } from '../../../src/raft/entry.ts';
import type { MemberId } from '../../../src/raft/identity.ts';
import type { AbstractLog } from './abstract-log.ts';
import { latestConfigurations, termAt } from './abstract-log.ts';
import { pair } from './naive-quorum.ts';
import { diverge, type Rule } from './rules.ts';
import type { Server } from './server.ts';

/** Chapter 4 of the dissertation: who may campaign, what a leader may append, and when it has to go. */

/**
 * A voter of the latest configuration of its log; or of the one before, as long as it does not know the latest to
 * be committed: it may be the only one to hold it (4.2.2).
 */
export function mayCampaign({ log, pair: self, commitIndex }: Server): boolean {
  const { latest, before } = latestConfigurations(log);
  if (votersOf(latest.configuration).has(self)) return true;
  return before !== null && latest.index > commitIndex && votersOf(before.configuration).has(self);
}

/** 4.2.2: it managed a cluster that it is no part of until that was committed, and no longer. */
export function mustLeave(server: Server): boolean {
  return server.role === 'leader' && isOutBy(server, server.pair);
}

/** Whether the configuration in force on `server`, known to be committed, does not let `member` vote. */
export function isOutBy({ log, commitIndex }: Server, member: string): boolean {
  const { index, configuration } = latestConfigurations(log).latest;
  return index <= commitIndex && configuration.outgoing.length === 0 && !votersOf(configuration).has(member);
}

/** What a leader appends as the next configuration after `log`, with what it knows committed. */
export function checkConfiguration(
  server: Server,
  log: AbstractLog,
  appended: { readonly entry: ConfigurationEntry; readonly commitIndex: Index },
): void {
  const { latest } = latestConfigurations(log);
  const { entry, commitIndex } = appended;
  const { configuration: next } = entry;
  const now = latest.configuration;
  const change = `appended ${text(next)} after ${text(now)}`;
  const refuse = (rule: Rule): never => {
    diverge(rule, server, change);
  };
  if (next.id !== `${entry.index}.${entry.term}`) refuse('inForce');
  if (termAt(server.log, commitIndex) !== server.currentTerm) refuse('ownTermFirst');
  if (!isStep(now, next)) refuse('jointPath');
  if (latest.index > commitIndex && !givesUp(server, now, next)) refuse('oneChange');
  const listed = [...next.voters, ...next.learners];
  if (listed.some((member) => has(next.retired, member))) refuse('retired');
  if (listed.some((member) => has(now.retired, member)) && !isBack(now, next)) refuse('retired');
}

/** 4.3: C_old -> C_old,new -> C_new or C_old; and whatever leaves the voters as they are. */
function isStep(now: Configuration, next: Configuration): boolean {
  if (now.outgoing.length > 0) {
    return next.outgoing.length === 0 && (same(next.voters, now.voters) || same(next.voters, now.outgoing));
  }
  return next.outgoing.length > 0 ? same(next.outgoing, now.voters) : same(next.voters, now.voters);
}

/** Back to the voters before, of its own uncommitted entry: no majority but theirs was ever asked. */
function givesUp({ currentTerm }: Server, now: Configuration, next: Configuration): boolean {
  const [, term] = now.id.split('.');
  return (
    Number(term) === currentTerm &&
    (now.outgoing.length > 0 ? isBack(now, next) : same(next.voters, now.voters))
  );
}

function isBack(now: Configuration, next: Configuration): boolean {
  return now.outgoing.length > 0 && next.outgoing.length === 0 && same(next.voters, now.outgoing);
}

function votersOf({ voters, outgoing }: Configuration): Set<string> {
  return new Set([...voters, ...outgoing].map(pair));
}

function has(set: readonly MemberId[], member: MemberId): boolean {
  return set.some((one) => pair(one) === pair(member));
}

function same(a: readonly MemberId[], b: readonly MemberId[]): boolean {
  return a.length === b.length && a.every((one) => has(b, one));
}

function text({ id, voters, outgoing, learners }: Configuration): string {
  return [`${id}:`, ...[voters, outgoing, learners].map((set) => `{${set.map(pair).join(' ')}}`)].join(' ');
}
