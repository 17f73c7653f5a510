import type { Index } from '../../raft/entry.ts';
import type { LogPosition } from '../contract.ts';
import { agreementOf, compareLogs, type HeldLog, lastOf, termHeldAt } from './held-log.ts';

/** Which log a cluster is recovered from, and what of the others it lacks. */
export interface Choice {
  /** Position in the list. */
  readonly chosen: number;
  /** Entries that others hold in the place of the chosen one's, or beyond it. */
  readonly leftOut: readonly LeftOut[];
}

export interface LeftOut {
  /** Position in the list. */
  readonly by: number;
  readonly from: Index;
  readonly to: LogPosition;
}

/**
 * Chooses among the logs of survivors, at least one.
 *
 * What a snapshot covers is committed, the only thing that the disk of a single replica proves. So the log has to
 * hold the end of the latest snapshot of all of them. Among those that do, it is the most up to date, as a voter
 * compares them (paper 5.4.1): by the last entry's term, then by its index. What that gives:
 *
 * - *If the survivors are a quorum*, it holds every committed entry: it would win an election among them, and whoever
 *   can win one does (Leader Completeness).
 * - *If another survivor's log is a prefix of it*, it holds all that the other holds. Of two logs with one last term the
 *   shorter is: both have their entries of that term from its only leader, and so agree (Log Matching).
 * - *If they part*, nobody can know. Terms in parentheses, C, D and E are lost, and index 2 is in question:
 *
 *       A  1(1) 2(2)          A led term 2, elected by D and E, and was cut off
 *       B  1(1) 2(1)          got entry 2 of term 1 from C before that
 *       C  1(1) 2(1) 3(3)     led term 3, elected by D and E, and gave them both entries: committed
 *
 *   A is the more up to date, and its entry 2 never was committed. Had C never come back, A might have given D and E its
 *   own entry instead, and the disks of A and B would be the same. So what the others hold in its place is told,
 *   for the operator to decide: who wants B's gives B alone.
 */
export function chooseSurvivor(logs: readonly HeldLog[]): Choice {
  const snapshot = logs.reduce((latest, log) => (log.snapshot.index > latest.index ? log.snapshot : latest), {
    index: 0,
    term: 0,
  });
  const holdsIt = (log: HeldLog): boolean => termHeldAt(log, snapshot.index) === snapshot.term;
  let chosen = -1;
  let best: HeldLog | undefined;
  for (const [position, log] of logs.entries()) {
    if (!holdsIt(log) || (best !== undefined && compareLogs(log, best) <= 0)) continue;
    best = log;
    chosen = position;
  }
  if (best === undefined) throw new Error('there is no log to choose');
  const leftOut: LeftOut[] = [];
  for (const [by, log] of logs.entries()) {
    const from = agreementOf(best, log) + 1;
    if (from <= log.lastIndex) leftOut.push({ by, from, to: lastOf(log) });
  }
  return { chosen, leftOut };
}
