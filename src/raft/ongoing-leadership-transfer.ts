import type { Context } from './context.ts';
import { emit } from './context.ts';
import type { MemberId, RequestId } from './identity.ts';

/** A leader's handing over of its leadership, from the moment it takes no more proposals; see leadership-transfer.ts. */
export interface OngoingLeadershipTransfer {
  readonly leadershipTransferId: RequestId;
  readonly to: MemberId;
  /** It steps down as soon as the TimeoutNow is out: it stands in the way itself. */
  readonly thenStepDown: boolean;
  /** The TimeoutNow is out. */
  sent: boolean;
}

/** However it ends, it ends here. */
export function endLeadershipTransfer(
  context: Context,
  outcome: 'stepped-down' | 'timed-out' | 'not-a-voter-any-more',
): void {
  const { state } = context;
  state.timers.leadershipTransfer = null;
  if (state.leadershipTransfer === null) return;
  const { leadershipTransferId, to } = state.leadershipTransfer;
  state.leadershipTransfer = null;
  emit(context, { kind: 'leadership-transfer-ended', leadershipTransferId, to: to.id, outcome });
}
