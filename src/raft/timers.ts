/** Every timer of the core: the moment it is due, or null. Their minimum is `deadline`. */
export interface Timers {
  /** Follower, candidates: campaign (again). */
  election: number | null;
  /** Leader: the next round of heartbeats. */
  heartbeat: number | null;
  /** Leader: step down unless a quorum confirmed since. */
  quorum: number | null;
  /** Leader: give up a change whose new members get no further. */
  membership: number | null;
  /** Leader: the next chunk of a snapshot may go. */
  snapshotTransfer: number | null;
  /** Follower: it seems to be removed, unless a leader is heard. */
  removal: number | null;
  /** Leader: give up handing over. */
  leadershipTransfer: number | null;
  /** Leader that stands in the way: try (again) to hand over. */
  stall: number | null;
}

export const noTimers: Timers = {
  election: null,
  heartbeat: null,
  quorum: null,
  membership: null,
  snapshotTransfer: null,
  removal: null,
  leadershipTransfer: null,
  stall: null,
};

/** The earliest of them; null when none is set. */
export function earliest(timers: Timers): number | null {
  let due = timers.election;
  if (timers.heartbeat !== null && (due === null || timers.heartbeat < due)) due = timers.heartbeat;
  if (timers.quorum !== null && (due === null || timers.quorum < due)) due = timers.quorum;
  if (timers.membership !== null && (due === null || timers.membership < due)) due = timers.membership;
  if (timers.snapshotTransfer !== null && (due === null || timers.snapshotTransfer < due))
    due = timers.snapshotTransfer;
  if (timers.removal !== null && (due === null || timers.removal < due)) due = timers.removal;
  if (timers.leadershipTransfer !== null && (due === null || timers.leadershipTransfer < due))
    due = timers.leadershipTransfer;
  if (timers.stall !== null && (due === null || timers.stall < due)) due = timers.stall;
  return due;
}
