import type { Configuration } from './configuration.ts';
import { emptyConfiguration, isMember } from './configuration.ts';
import { type FoundDamage, missingAtStart } from './damage.ts';
import type { HardState } from './effect.ts';
import { armElectionTimer, fullHeadStartMs } from './election-timer.ts';
import type { ConfigurationEntry, Index, Term, TermRun } from './entry.ts';
import { noFreshness } from './freshness.ts';
import type { ClusterId, GroupId, ReplicaId } from './identity.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { decidesAlone } from './membership.ts';
import type { RaftOptions, RandomSource } from './options.ts';
import { raftOptionMistakes } from './options.ts';
import type { SnapshotMeta } from './snapshot.ts';
import { noPacing } from './snapshot-transfer.ts';
import { noStall } from './stall.ts';
import type { RaftState } from './state.ts';
import { noTimers } from './timers.ts';

/** What a core starts from. */
export interface RaftStart {
  readonly self: ReplicaId;
  readonly group: GroupId;
  readonly clusterId: ClusterId | null;
  readonly options: RaftOptions;
  readonly now: number;
  readonly recovered: {
    readonly hardState: HardState;
    readonly floor: {
      readonly index: Index;
      readonly term: Term;
      readonly configuration: Configuration | null;
    };
    readonly lastIndex: Index;
    readonly runs: readonly TermRun[];
    readonly configurations: readonly ConfigurationEntry[];
    /** Of a log that the disk lost a part of: the above tells of what lies before it. Absent or null: whole. */
    readonly damage?: FoundDamage | null;
  };
  /**
   * The latest durable snapshot. When it is ahead of the log, or the log holds another term at its index, the
   * log is replaced by it: a crash came between the two.
   */
  readonly snapshot: SnapshotMeta | null;
  /**
   * What the state machine holds, restored from the snapshot where it was behind it; 0 for nothing. It may lie
   * beyond the log's end, if it went on running while the storage was reopened.
   */
  readonly appliedIndex: Index;
}

/**
 * The state after opening. Everything recovered is durable; nothing is known to be committed but what a
 * snapshot covers and what the running state machine has applied.
 */
export function initialState(start: RaftStart, random: RandomSource): RaftState {
  const { self, group, clusterId, options, now, snapshot, appliedIndex } = start;
  const mistakes = raftOptionMistakes(options);
  if (mistakes.length > 0) throw new RangeError(`invalid Raft options: ${mistakes.join('; ')}`);
  checkRecovered(start.recovered);
  checkSnapshot(start);

  const recovered = reconcile(start.recovered, snapshot);
  const { floor, lastIndex } = recovered;
  const hardState = hardStateAtStart(start.recovered, recovered.hardState);
  const settledIndex = snapshot?.index ?? floor.index;
  const state: RaftState = {
    self: { ...self },
    group,
    clusterId,
    options: { ...options },
    now,
    clockOffsetMs: 0,
    clockAnomalies: 0,
    timers: { ...noTimers },
    hardState,
    role: 'follower',
    leader: null,
    log: {
      floorIndex: floor.index,
      floorTerm: floor.term,
      lastIndex,
      runs: recovered.runs.map((run) => ({ ...run })),
      cache: [],
      bytesThrough: [],
      bytesBefore: 0,
    },
    configurations: [
      { index: floor.index, configuration: floor.configuration ?? emptyConfiguration },
      ...recovered.configurations.map(({ index, configuration }) => ({ index, configuration })),
    ],
    commitIndex: appliedIndex,
    settledIndex,
    appliedIndex,
    applyingIndex: appliedIndex,
    snapshot,
    keepFrom: floor.index + 1,
    receiving: null,
    restoring: null,
    verifiedIndex: 0,
    durable: { index: lastIndex, hardState: start.recovered.hardState },
    writes: [],
    issuedBytes: 0,
    persistedBytes: 0,
    unissued:
      hardState === start.recovered.hardState ? null : { hardState: true, cutFrom: null, appendFrom: null },
    lastSequence: 0,
    silentUntil: now,
    headStartMs: fullHeadStartMs(options),
    // A snapshot that takes the log's place takes that of its holes too.
    repairing: recovered === start.recovered && (recovered.damage?.holes.length ?? 0) > 0,
    endAsked: null,
    leaderHeardAt: null,
    votes: [],
    owed: { vote: null, acknowledgement: null },
    progress: [],
    rounds: [],
    lastRound: 0,
    quorumConfirmedAt: null,
    termStartIndex: 0,
    pacing: { ...noPacing },
    reads: [],
    asked: null,
    freshness: { ...noFreshness },
    leadershipTransfer: null,
    leaseForfeited: false,
    campaignsByTransfer: false,
    stall: { ...noStall },
    leadingSince: null,
    change: null,
    newcomers: [],
    wasMember: false,
    removed: false,
    boots: [],
    drops: {},
    failed: false,
  };
  state.wasMember = state.configurations.some(
    ({ index, configuration }) => index <= appliedIndex && isMember(configuration, self),
  );
  if (mayHavePromised(state)) state.silentUntil = now + options.electionTimeoutMinMs;
  armElectionTimer({ state, random, effects: [] });
  return state;
}

/** With what is found to be missing, which must be durable before anything is written over. */
function hardStateAtStart(found: RaftStart['recovered'], hardState: HardState): HardState {
  const missing = missingAtStart(found.hardState, found.damage ?? null);
  if (missing === null || missing === found.hardState.missing) return hardState;
  return { ...hardState, missing };
}

/**
 * The previous run may have told a leader, just before it ended, that it votes for nobody else for one
 * election timeout (dissertation 6.4.1, and CheckQuorum). That is not on disk, so it is kept by saying
 * nothing for as long. In term 0 no leader was ever answered, since an answer needs a durable term; and
 * who decides alone has nobody to deceive.
 */
function mayHavePromised(state: RaftState): boolean {
  return state.hardState.term > 0 && !decidesAlone(state);
}

/**
 * The log after a snapshot that it does not hold is the snapshot alone. That loses nothing: what the snapshot
 * covers is committed, and whatever the log holds beyond it follows on other entries than the committed ones,
 * or is nothing at all. The snapshot's term may even be one that the hard state never reached (its last
 * entries were committed by others, and applied here before they were durable); then nothing was said here
 * in that term, so to be in it without a vote takes nothing back.
 */
export function reconcile(
  recovered: RaftStart['recovered'],
  snapshot: SnapshotMeta | null,
): RaftStart['recovered'] {
  if (snapshot === null || recoveredTermAt(recovered, snapshot.index) === snapshot.term) return recovered;
  const { index, term, configuration } = snapshot;
  const { hardState } = recovered;
  return {
    hardState: term > hardState.term ? { ...hardState, term, votedFor: null } : hardState,
    floor: { index, term, configuration },
    lastIndex: index,
    runs: [],
    configurations: [],
  };
}

function recoveredTermAt({ floor, lastIndex, runs }: RaftStart['recovered'], index: Index): Term | null {
  if (index > lastIndex) return null;
  let { term } = floor;
  for (const run of runs) if (run.firstIndex <= index) ({ term } = run);
  return term;
}

/**
 * A floor is written only after its snapshot is durable, and a snapshot is replaced only by a later one. A state
 * machine behind its snapshot would be given the entries after it, and never those before.
 */
function checkSnapshot({ recovered: { floor }, snapshot, appliedIndex }: RaftStart): void {
  const index = snapshot?.index ?? 0;
  if (appliedIndex < index) {
    throw new InvariantViolation(
      `the state machine holds the entries up to ${appliedIndex}, and was not restored from the snapshot of ${index}`,
    );
  }
  if (index >= floor.index && (index > floor.index || (snapshot?.term ?? 0) === floor.term)) return;
  throw new InvariantViolation(
    `the log begins after ${floor.index}/${floor.term}, but the latest snapshot is ` +
      (snapshot === null ? 'none' : `${snapshot.index}/${snapshot.term}`),
  );
}

/** The storage asserted these when it wrote them; a core that started from anything else could do harm. */
function checkRecovered({ hardState, floor, lastIndex, runs, configurations }: RaftStart['recovered']): void {
  const refuse = (what: string): never => {
    throw new InvariantViolation(`the recovered log cannot be right: ${what}`);
  };
  if (lastIndex < floor.index) refuse(`it ends at ${lastIndex}, below its floor ${floor.index}`);
  let term = floor.term;
  let index = floor.index;
  for (const [position, run] of runs.entries()) {
    const inOrder =
      position === 0 ? run.term >= term && run.firstIndex === index + 1 : run.firstIndex > index;
    if (!inOrder || (position > 0 && run.term <= term)) {
      refuse(`the run of term ${run.term} from ${run.firstIndex} follows term ${term} from ${index}`);
    }
    ({ term, firstIndex: index } = run);
  }
  if (index > lastIndex) refuse(`a run begins at ${index}, beyond the end ${lastIndex}`);
  if (runs.length === 0 && lastIndex > floor.index) refuse(`no terms for its entries up to ${lastIndex}`);
  if (term > hardState.term) refuse(`an entry of term ${term}, but the saved term is ${hardState.term}`);
  let previous = floor.index;
  for (const entry of configurations) {
    if (entry.index <= previous || entry.index > lastIndex) {
      refuse(`a configuration at ${entry.index}, after ${previous} in a log that ends at ${lastIndex}`);
    }
    previous = entry.index;
  }
}
