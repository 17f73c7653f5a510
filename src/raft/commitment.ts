import type { Index } from './entry.ts';
import { sameMember } from './identity.ts';
import { currentConfiguration } from './membership.ts';
import { ownMatchIndex } from './promises.ts';
import { quorumValue } from './quorum.ts';
import type { RaftState } from './state.ts';

/**
 * The leader's rule of commitment: an index is committed once a quorum holds it durably *and its entry is
 * of the leader's own term*; everything before it is then committed with it (paper 5.4.2).
 *
 * Why the own term (paper, figure 8; `*` marks the leader, the numbers are terms):
 *
 *          (a)      (b)      (c)        (d)      (e)
 *     S1  *1 2      1 2     *1 2 4      1 3     *1 2 4
 *     S2   1 2      1 2      1 2        1 3      1 2 4
 *     S3   1        1        1 2        1 3      1 2 4
 *     S4   1        1        1          1 3      1
 *     S5   1       *1 3      1 3       *1 3      1 3
 *
 * In (c) S1 leads term 4 and has put the 2 on a majority. Were it committed by that count, S5, whose last
 * term 3 is later, could still win S2, S3 and S4 and overwrite it (d). Once an entry of term 4 is on a
 * majority (e), S5 cannot win any more, and the 2 before it is as safe as the 4.
 *
 * The leader's own log counts like any other, with what is durable of it; a quorum of others may commit
 * an entry that the leader's own disk does not hold yet (dissertation 10.2.1).
 */
export function quorumCommitIndex(state: RaftState): Index {
  const stored = quorumValue(currentConfiguration(state), (member) => {
    for (const progress of state.progress) {
      if (sameMember(progress.member, member)) return progress.matchIndex;
    }
    return sameMember(member, state.self) ? ownMatchIndex(state) : 0;
  });
  // Entries of the leader's term are those from its first one on.
  return stored >= state.termStartIndex && stored > state.commitIndex ? stored : state.commitIndex;
}
