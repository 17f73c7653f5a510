import { sameMember } from './identity.ts';
import { currentConfiguration } from './membership.ts';
import { quorumValue } from './quorum.ts';
import { progressOf } from './replication.ts';
import type { RaftState } from './state.ts';

/**
 * A leader that knows nobody else can have been elected yet may serve reads without asking (dissertation 6.4.1).
 *
 * A member that answers a heartbeat promises to vote for nobody else for `promiseMs` of its clock, and keeps the
 * promise through a restart (start.ts) and an anomaly of its clock (time.ts). It gave the promise after the
 * heartbeat was *sent*, so by the leader's clock it binds at least until
 *
 *     sentAt + promiseMs * (1 - clockDriftMaxRatio)
 *
 * At any moment before the latest time that a quorum reaches, every other would-be quorum has a member that
 * votes for nobody. Two things end the right before that time: a clock of which nothing is known any more, and a
 * TimeoutNow, for whoever got it campaigns with votes that waive the promise (leadership-transfer.ts); such a
 * message may arrive however late, so the right is gone for the rest of the term.
 */
export function holdsLease(state: RaftState): boolean {
  const { options, role, leaseForfeited, now } = state;
  if (role !== 'leader' || options.clockDriftMaxRatio === null || leaseForfeited) return false;
  const until = quorumValue(currentConfiguration(state), (member) => {
    // It votes for nobody while it leads.
    if (sameMember(member, state.self)) return Number.MAX_VALUE;
    return progressOf(state, member)?.promisedUntil ?? 0;
  });
  return now < until;
}

/** Until when, by this leader's clock, a promise binds that answered the heartbeat of `sentAt`. */
export function promiseEnd({ options }: RaftState, sentAt: number, promiseMs: number): number | null {
  const { clockDriftMaxRatio } = options;
  return clockDriftMaxRatio === null ? null : sentAt + promiseMs * (1 - clockDriftMaxRatio);
}

/** How long ago anything was is not known any more. */
export function dropLease(state: RaftState): void {
  for (const progress of state.progress) progress.promisedUntil = null;
}
