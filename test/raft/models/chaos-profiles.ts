import type { RaftOptions } from '../../../src/raft/options.ts';

/** Weights of what happens next. */
export interface Weights {
  readonly deliver: number;
  readonly drop: number;
  readonly duplicate: number;
  readonly persist: number;
  readonly tick: number;
  readonly propose: number;
  readonly apply: number;
  readonly load: number;
  readonly crash: number;
  readonly restart: number;
  readonly failWrite: number;
  readonly jump: number;
  readonly cut: number;
  readonly compact: number;
  readonly restore: number;
  readonly read: number;
  readonly transfer: number;
  readonly stall: number;
  readonly pause: number;
  /** Its clock runs faster or slower from now on, within what `clockDriftMaxRatio` allows. */
  readonly drift: number;
  /** Its clock steps by so much that it is noticed. */
  readonly step: number;
  /** The leader is cut off just when it is least welcome. */
  readonly ambush: number;
  /** A disk loses entries while its replica is down. */
  readonly damage: number;
  /** Peers are asked for what one lost. */
  readonly repair: number;
  /** A disk is nearly full from now on, or has space again. */
  readonly fill: number;
}

export interface Profile {
  readonly weights: Weights;
  readonly options: Partial<RaftOptions>;
  /** At most this much time passes at once; milliseconds. */
  readonly tickMs: number;
  /** More than a minority of the disks may lack something at a time. */
  readonly damagesAll?: boolean;
}

const rough: Weights = {
  deliver: 900,
  drop: 30,
  duplicate: 30,
  persist: 450,
  tick: 140,
  propose: 100,
  apply: 150,
  load: 100,
  crash: 2,
  restart: 10,
  failWrite: 2,
  jump: 1,
  cut: 3,
  compact: 8,
  restore: 60,
  read: 60,
  transfer: 2,
  stall: 12,
  pause: 0,
  drift: 0,
  step: 0,
  ambush: 0,
  damage: 0,
  repair: 0,
  fill: 0,
};

const damaging = { ...rough, crash: 6, restart: 40, damage: 6, repair: 80, cut: 8, propose: 140 };

export const profiles = {
  calm: {
    weights: { ...rough, drop: 10, duplicate: 10, crash: 0, failWrite: 0, jump: 0, cut: 0, propose: 200 },
    options: {},
    tickMs: 40,
  },
  rough: { weights: rough, options: {}, tickMs: 40 },
  /** Little holds back elections: many leaders, and logs that conflict. */
  turbulent: {
    weights: { ...rough, duplicate: 150, crash: 5, restart: 20, cut: 12 },
    options: { preVote: false, checkQuorum: false, clockGapMs: 100_000 },
    tickMs: 60,
  },
  /** Clocks that keep to the declared bound, processes that stand still, and leaders that come and go. */
  leases: {
    weights: {
      ...rough,
      persist: 700,
      apply: 250,
      tick: 200,
      read: 200,
      propose: 120,
      transfer: 12,
      stall: 12,
      pause: 25,
      drift: 10,
      step: 2,
      ambush: 15,
      jump: 0,
      crash: 4,
      restart: 25,
      cut: 4,
      failWrite: 1,
      compact: 2,
    },
    options: { clockDriftMaxRatio: 0.4 },
    tickMs: 40,
  },
  /** Disks that lose what was acknowledged, on a minority at a time. */
  damaged: {
    weights: damaging,
    options: { clockGapMs: 100_000 },
    tickMs: 40,
  },
  /** The same, and disks that are nearly full, any number of them at a time. */
  crowded: {
    weights: { ...damaging, fill: 12, transfer: 8 },
    options: { clockGapMs: 100_000 },
    tickMs: 40,
  },
  /** As `damaged`, on as many at a time as chance will have. */
  ruined: { weights: damaging, options: { clockGapMs: 100_000 }, tickMs: 40, damagesAll: true },
} satisfies Record<string, Profile>;
