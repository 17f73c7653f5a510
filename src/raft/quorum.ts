import type { Configuration, Member } from './configuration.ts';
import type { MemberId } from './identity.ts';

/**
 * Every decision of the cluster goes through these two functions, so that joint consensus (dissertation
 * 4.3: separate majorities of the incoming and the outgoing voters) is right everywhere or nowhere.
 * Learners never count.
 */

/**
 * The greatest value that a quorum has reached: of match indexes the index stored on a quorum, of
 * heartbeat rounds the latest that a quorum answered. 0 for a configuration without voters, which can
 * decide nothing.
 */
export function quorumValue(configuration: Configuration, reached: (member: MemberId) => number): number {
  const incoming = majorityValue(configuration.voters, reached);
  if (configuration.outgoing.length === 0) return incoming;
  const outgoing = majorityValue(configuration.outgoing, reached);
  return incoming < outgoing ? incoming : outgoing;
}

/** Whether the members for which `agrees` holds form a quorum. */
export function isQuorum(configuration: Configuration, agrees: (member: MemberId) => boolean): boolean {
  return quorumValue(configuration, (member) => (agrees(member) ? 1 : 0)) === 1;
}

/** The middle of the descending values: with 4 voters a majority is 3, so the third largest. */
function majorityValue(voters: readonly Member[], reached: (member: MemberId) => number): number {
  const descending: number[] = [];
  for (const voter of voters) {
    const value = reached(voter);
    let at = descending.length;
    for (; at > 0; at -= 1) {
      const before = descending[at - 1] ?? 0;
      if (before >= value) break;
      descending[at] = before;
    }
    descending[at] = value;
  }
  return descending[voters.length >> 1] ?? 0;
}
