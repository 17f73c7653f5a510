/** Every timer of the core: the moment it is due, or null. Their minimum is `deadline`. */
export interface Timers {
  /** Follower, candidates: campaign (again). */
  election: number | null;
  /** Leader: the next round of heartbeats. */
  heartbeat: number | null;
  /** Leader: step down unless a quorum confirmed since. */
  quorum: number | null;
}
