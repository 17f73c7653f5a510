import type { Index } from '../../../src/raft/entry.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import type { AbstractLog } from './abstract-log.ts';
import {
  configurationsOf,
  entryAt,
  holds,
  lastIndex,
  latestConfigurations,
  sameEntry,
  stablePrefix,
  termAt,
  withAppended,
} from './abstract-log.ts';
import { checkConfiguration } from './membership-rules.ts';
import { decides, list } from './naive-quorum.ts';
import { diverge } from './rules.ts';
import type { Observed, Server, Step } from './server.ts';

/** Section 5.3 and 5.4 of the paper: how logs grow, and how far they are committed. */

/** Figure 2, AppendEntries. What is taken is taken as a whole; a message may also be dropped. */
export function appended(
  server: Server,
  message: Extract<Envelope['message'], { kind: 'AppendEntries' }>,
  observed: Observed,
): AbstractLog {
  const { prevLogIndex, prevLogTerm, entries } = message;
  const changed = differenceOf(server.log, observed.log);
  const floorMoved = observed.log.floor.index > server.log.floor.index;
  if (!holds(server.log, prevLogIndex, prevLogTerm)) {
    if (changed !== null && !floorMoved)
      diverge('consistency', server, `took entries after ${prevLogIndex}/${prevLogTerm}: ${changed}`);
    return server.log;
  }
  const expected = withAppended(server.log, entries);
  const difference = differenceOf(expected, observed.log);
  // Dropped, so nothing is known by it.
  if (difference !== null && changed === null) return server.log;
  if (difference !== null && !floorMoved) diverge('conflict', server, difference);
  const verified = prevLogIndex + entries.length;
  if (verified > server.verifiedIndex) server.verifiedIndex = verified;
  return expected;
}

export function appendedByLeader(server: Server, { log: observed, commitIndex }: Observed): AbstractLog {
  const { log, currentTerm } = server;
  const first = lastIndex(log) + 1;
  const added = observed.entries.filter(({ index }) => index >= first);
  for (const entry of added) {
    if (entry.term !== currentTerm) diverge('appendOnly', server, `appended ${entry.index}/${entry.term}`);
    const begins = entry.index === server.termStart;
    if (begins && entry.kind !== 'noop') diverge('noop', server, `begins its term with a ${entry.kind}`);
    if (entry.kind === 'configuration') {
      const earlier = {
        ...log,
        entries: [...log.entries, ...added.filter(({ index }) => index < entry.index)],
      };
      checkConfiguration(server, earlier, { entry, commitIndex });
    }
  }
  return { floor: log.floor, entries: [...log.entries, ...added] };
}

/** Figure 2, leaders: with the configuration in force before anything new is appended. */
export function commitByCounting(server: Server, { commitIndex }: Observed): void {
  if (commitIndex === server.commitIndex) return;
  const { log } = server;
  const moved = `moved its commit index ${server.commitIndex} -> ${commitIndex}`;
  if (commitIndex < server.commitIndex) diverge('commitForward', server, moved);
  if (termAt(log, commitIndex) !== server.currentTerm) {
    diverge('commitOwnTerm', server, `${moved}, of term ${termAt(log, commitIndex)}`);
  }
  const holders = new Set(
    [...server.matchIndex].filter(([, index]) => index >= commitIndex).map(([one]) => one),
  );
  if (stablePrefix(log, server.stable.log) >= commitIndex) holders.add(server.pair);
  const { latest } = latestConfigurations(log);
  if (!decides(holders, latest.configuration)) {
    diverge(
      'commitQuorum',
      server,
      `${moved}, held by ${list(holders)}; configuration ${latest.configuration.id}`,
    );
  }
  server.commitIndex = commitIndex;
}

export function followCommit(server: Server, { heard, observed: { commitIndex } }: Step): void {
  if (commitIndex === server.commitIndex) return;
  const moved = `moved its commit index ${server.commitIndex} -> ${commitIndex}`;
  if (commitIndex < server.commitIndex) diverge('commitForward', server, moved);
  const message = heard?.message;
  const told =
    message !== undefined && 'term' in message && message.term === server.currentTerm ? toldBy(message) : 0;
  if (commitIndex > told || commitIndex > server.verifiedIndex) {
    diverge('commitFollow', server, `${moved}; told ${told}, equal up to ${server.verifiedIndex}`);
  }
  server.commitIndex = commitIndex;
}

function toldBy(message: Envelope['message']): Index {
  if (message.kind === 'AppendEntries' || message.kind === 'Heartbeat') return message.leaderCommit;
  return message.kind === 'ReadIndexResponse' ? message.index : 0;
}

export function checkInForce(server: Server, { configurations }: Observed): void {
  const expected = configurationsOf(server.log).map(
    ({ index, configuration }) => `${configuration.id} at ${index}`,
  );
  const found = configurations.map(({ index, id }) => `${id} at ${index}`);
  if (expected.join() !== found.join()) {
    diverge('inForce', server, `has ${found.join(', ')}; in its log are ${expected.join(', ')}`);
  }
}

/** Null when the two are equal. */
export function differenceOf(expected: AbstractLog, found: AbstractLog): string | null {
  const [end, foundEnd] = [lastIndex(expected), lastIndex(found)];
  const from = expected.floor.index > found.floor.index ? expected.floor.index : found.floor.index;
  for (let index = from + 1; index <= end && index <= foundEnd; index += 1) {
    const [one, other] = [entryAt(expected, index), entryAt(found, index)];
    if (one !== other && (one === undefined || other === undefined || !sameEntry(one, other))) {
      return `holds ${index}/${other?.term} ${other?.kind} where ${one?.term} ${one?.kind} is expected`;
    }
  }
  return end === foundEnd ? null : `has a log that ends at ${foundEnd}, where ${end} is expected`;
}
