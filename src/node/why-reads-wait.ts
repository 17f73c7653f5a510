import type { Index } from '../raft/entry.ts';
import type { RaftState } from '../raft/state.ts';
import { quorumOf } from './quorum-status.ts';

/** What keeps a read from being granted, as far as this replica sees; `state` is null while the storage is reopened. */
export function whyReadsWait(state: RaftState | null): string {
  if (state === null) return 'the storage is being reopened';
  if (state.leader === null) return 'no leader is known';
  if (state.role !== 'leader') return `${state.leader.id} leads, and has not answered`;
  const missing = quorumOf(state).missing.map(({ id }) => id);
  if (missing.length > 0) return `this leader lacks answers from ${missing.join(', ')}`;
  return state.commitIndex < state.termStartIndex
    ? 'this leader has not committed an entry of its own term yet'
    : 'this leader waits for answers';
}

/** Why this replica will not hold what a granted read must see before its disk has room again; null: it goes on. */
export function whyNotAnswered({ stall, log }: RaftState, index: Index): string | null {
  if (!stall.diskNearlyFull || index <= log.lastIndex) return null;
  return `its disk is nearly full, so it takes no entries, and lacks those after ${log.lastIndex}; ask another replica`;
}
