import type { Context } from './context.ts';
import { emit } from './context.ts';
import type { Stalled } from './event.ts';
import { beginLeadershipTransfer, fittest } from './leadership-transfer.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';

/**
 * A replica whose disk, or whose state machine, stands still while the rest of it goes on: its heartbeats keep
 * others from campaigning, and nothing that needs it gets done, possibly for ever (hashicorp/raft issue 503). A leader
 * hands over, to somebody who is known not to have the same trouble: with a disk that hangs, to a peer that made
 * something durable since. It stays away from campaigns until it is answered. If there is nobody, to lead
 * badly is better than not to be led: it goes on and says so.
 *
 * Where all disks are slow, leadership would go in circles. So a replica that handed over for this is more patient
 * the next time, twice as patient each time, until a long time has passed.
 */
export interface StallState {
  /** Since when the oldest write waits for the storage; null: it answers. */
  storageSince: number | null;
  /** Since when one command is being applied; null: it answers. */
  stateMachineSince: number | null;
  /** How long it goes on leading once it stands still. */
  patienceMs: number;
  transferredAt: number | null;
  /** It was told that nobody is fit to take over. */
  told: boolean;
}

export const noStall: StallState = {
  storageSince: null,
  stateMachineSince: null,
  patienceMs: 0,
  transferredAt: null,
  told: false,
};

/** In longest election timeouts. */
const PATIENCE_MAX = 64;
/** In patiences: after that long, the last hand-over is forgotten. */
const FORGOTTEN_AFTER = 16;

export function isStalled({ stall }: RaftState): boolean {
  return stall.storageSince !== null || stall.stateMachineSince !== null;
}

export function diskHangs({ stall }: RaftState): boolean {
  return stall.storageSince !== null;
}

/** @param forMs - for how long already. */
export function onStalled(context: Context, what: Stalled, forMs: number): void {
  const { state } = context;
  const { stall } = state;
  const since = state.now - forMs;
  if (what === 'storage') stall.storageSince ??= since;
  else stall.stateMachineSince ??= since;
  watchStall(state);
}

export function onAnswered({ state }: Context, what: Stalled): void {
  const { stall } = state;
  if (what === 'storage') stall.storageSince = null;
  else stall.stateMachineSince = null;
  if (isStalled(state)) return;
  stall.told = false;
  state.timers.stall = null;
}

/** When it stands still, and when it begins to lead though it does. */
export function watchStall(state: RaftState): void {
  const { stall, timers, now } = state;
  if (state.role !== 'leader' || !isStalled(state)) return;
  const { transferredAt } = stall;
  if (transferredAt !== null && now - transferredAt > FORGOTTEN_AFTER * stall.patienceMs)
    stall.patienceMs = 0;
  timers.stall ??= now + stall.patienceMs;
}

/** A leader's patience is at its end. */
export function onStallTimeout(context: Context): void {
  const { state } = context;
  const { stall, timers, options } = state;
  timers.stall = null;
  if (state.role !== 'leader' || !isStalled(state)) return;
  timers.stall = state.now + options.electionTimeoutMaxMs;
  if (state.leadershipTransfer !== null) return;
  const what: Stalled = stall.storageSince === null ? 'state-machine' : 'storage';
  const to = fittest(state, (progress) => isWell(stall, progress));
  if (to === null) {
    if (!stall.told) emit(context, { kind: 'no-transfer-target', stalled: what });
    stall.told = true;
    return;
  }
  stall.transferredAt = state.now;
  stall.patienceMs = Math.min(
    Math.max(options.electionTimeoutMaxMs, 2 * stall.patienceMs),
    PATIENCE_MAX * options.electionTimeoutMaxMs,
  );
  // Counted from the end of this hand-over, should it go on leading.
  timers.stall += stall.patienceMs;
  beginLeadershipTransfer(context, to, { thenStepDown: true, reason: `its ${what} stands still` });
}

/** Everything durable on it was made so, in part, since the own disk hangs. */
function isWell({ storageSince }: StallState, { matchAdvancedAt }: Progress): boolean {
  return storageSince === null || (matchAdvancedAt !== null && matchAdvancedAt > storageSince);
}
