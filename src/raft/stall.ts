import type { Context } from './context.ts';
import { emit } from './context.ts';
import { othersHaveRoom, saysItHasRoom } from './disk-space.ts';
import type { Index } from './entry.ts';
import type { Handicap, Stalled } from './event.ts';
import { beginLeadershipTransfer, fittest } from './leadership-transfer.ts';
import type { Progress } from './progress.ts';
import type { RaftState } from './state.ts';

/**
 * A replica whose disk, or whose state machine, stands still while the rest of it goes on: its heartbeats keep
 * others from campaigning, and nothing that needs it gets done, possibly for ever (hashicorp/raft issue 503). A leader
 * hands over, to somebody who is known not to have the same trouble: with a disk that hangs, to a peer that made
 * durable what the own disk still owes. It stays away from campaigns until it is answered. If there is nobody,
 * to lead badly is better than not to be led: it goes on and says so.
 *
 * One whose disk is nearly full hands over as well (disk-space.ts).
 *
 * Where all disks are slow, leadership would go in circles. So a replica that handed over for this is more patient
 * the next time, twice as patient each time, until a long time has passed.
 */
export interface StallState {
  /** A write waits for it for too long. */
  storageStalled: boolean;
  /** A command is being applied for too long. */
  stateMachineStalled: boolean;
  /** Less room is left on the disk than is kept in reserve. */
  diskNearlyFull: boolean;
  /** Of entries that are taken nevertheless; see disk-space.ts. */
  spareBytes: number;
  /** How long it goes on leading once it stands still. */
  patienceMs: number;
  transferredAt: number | null;
  /** It was told that nobody is fit to take over. */
  told: boolean;
}

export const noStall: StallState = {
  storageStalled: false,
  stateMachineStalled: false,
  diskNearlyFull: false,
  spareBytes: 0,
  patienceMs: 0,
  transferredAt: null,
  told: false,
};

/** In longest election timeouts. */
const PATIENCE_MAX = 64;
/** In patiences: after that long, the last hand-over is forgotten. */
const FORGOTTEN_AFTER = 16;

export function isStalled({ stall }: RaftState): boolean {
  return stall.storageStalled || stall.stateMachineStalled || stall.diskNearlyFull;
}

export function diskHangs({ stall }: RaftState): boolean {
  return stall.storageStalled;
}

export function onStalled({ state }: Context, what: Stalled): void {
  const { stall } = state;
  if (what === 'storage') stall.storageStalled = true;
  else stall.stateMachineStalled = true;
  watchStall(state);
}

export function onAnswered({ state }: Context, what: Stalled): void {
  const { stall } = state;
  if (what === 'storage') stall.storageStalled = false;
  else stall.stateMachineStalled = false;
  goOn(state);
}

export function onDiskNearlyFull({ state }: Context, spareBytes: number): void {
  if (state.stall.diskNearlyFull) return;
  state.stall.diskNearlyFull = true;
  state.stall.spareBytes = spareBytes;
  watchStall(state);
}

export function onDiskHasSpace({ state }: Context): void {
  state.stall.diskNearlyFull = false;
  state.stall.spareBytes = 0;
  goOn(state);
}

function goOn(state: RaftState): void {
  const { stall } = state;
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
  // Right after it was elected, or its clock jumped, nobody knows who is there.
  const untilHeardMs = state.quorumConfirmedAt === null ? state.options.electionTimeoutMaxMs : 0;
  timers.stall ??= now + Math.max(stall.patienceMs, untilHeardMs);
}

/** A leader's patience is at its end. */
export function onStallTimeout(context: Context): void {
  const { state } = context;
  const { stall, timers, options } = state;
  timers.stall = null;
  if (state.role !== 'leader' || !isStalled(state)) return;
  timers.stall = state.now + options.electionTimeoutMaxMs;
  if (state.leadershipTransfer !== null) return;
  const what = handicapOf(stall);
  const isOfUse = what !== 'disk-space' || othersHaveRoom(state);
  const to = isOfUse ? fittest(state, (progress) => isWell(state, progress)) : null;
  if (to === null) {
    // A leader that was just elected has had no answer yet, and it is no news that nobody said how it is.
    if (!stall.told && state.quorumConfirmedAt !== null) {
      emit(context, { kind: 'no-transfer-target', stalled: what });
      stall.told = true;
    }
    return;
  }
  stall.transferredAt = state.now;
  stall.patienceMs = Math.min(
    Math.max(options.electionTimeoutMaxMs, 2 * stall.patienceMs),
    PATIENCE_MAX * options.electionTimeoutMaxMs,
  );
  // Counted from the end of this hand-over, should it go on leading.
  timers.stall += stall.patienceMs;
  beginLeadershipTransfer(context, to, { thenStepDown: true, reason: describeHandicap(what) });
}

export function describeHandicap(what: Handicap): string {
  return what === 'disk-space' ? 'its disk is nearly full' : `its ${what} stands still`;
}

function handicapOf({ storageStalled, stateMachineStalled }: StallState): Handicap {
  if (storageStalled) return 'storage';
  return stateMachineStalled ? 'state-machine' : 'disk-space';
}

/** It has not the trouble that this one has. Without room there is nothing to be owed: then room alone decides. */
function isWell(state: RaftState, progress: Progress): boolean {
  const { storageStalled, diskNearlyFull } = state.stall;
  if (diskNearlyFull && !saysItHasRoom(progress)) return false;
  if (!storageStalled || (diskNearlyFull && othersHaveRoom(state))) return true;
  return holdsWhatIsOwed(state, progress);
}

/**
 * Whether its disk did what the own one still has to do. What a leader owes are entries of its own term, as its vote was
 * durable before it led and writes end in order; and they leave for the peers in the drain that hands over the own write.
 * So they were made durable over there since the oldest unfinished write. No clock is asked: this stands where the
 * process stood still meanwhile, and nobody has to acknowledge anything again. `durable.index` would not do, as a
 * snapshot that is stored raises it.
 */
function holdsWhatIsOwed(state: RaftState, { matchIndex }: Progress): boolean {
  const owed = firstOwed(state);
  return owed !== null && matchIndex >= owed;
}

/** The first entry that was handed over to the disk and is not known to be on it; null when there is none. */
export function firstOwed({ writes }: RaftState): Index | null {
  return writes.find(({ appendFrom }) => appendFrom !== null)?.appendFrom ?? null;
}
