import type { Configuration } from './configuration.ts';
import { emptyConfiguration, isMember } from './configuration.ts';
import type { HardState } from './effect.ts';
import { armElectionTimer } from './election-timer.ts';
import type { ConfigurationEntry, Index, Term, TermRun } from './entry.ts';
import type { ClusterId, GroupId, ReplicaId } from './identity.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { selfIsSoleVoter } from './membership.ts';
import type { RaftOptions, RandomSource } from './options.ts';
import { raftOptionMistakes } from './options.ts';
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
  };
  /** What the running state machine has applied; 0 at a cold start; may lie beyond the log's end. */
  readonly appliedIndex: Index;
}

/**
 * The state after opening. Everything recovered is durable; nothing is known to be committed but what a
 * snapshot covers and what the running state machine has applied.
 */
export function initialState(start: RaftStart, random: RandomSource): RaftState {
  const { self, group, clusterId, options, now, recovered, appliedIndex } = start;
  const mistakes = raftOptionMistakes(options);
  if (mistakes.length > 0) throw new RangeError(`invalid Raft options: ${mistakes.join('; ')}`);
  checkRecovered(recovered);

  const { floor, hardState, lastIndex } = recovered;
  const knownCommitted = appliedIndex > floor.index ? appliedIndex : floor.index;
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
      cacheBytes: 0,
    },
    configurations: [
      { index: floor.index, configuration: floor.configuration ?? emptyConfiguration },
      ...recovered.configurations.map(({ index, configuration }) => ({ index, configuration })),
    ],
    commitIndex: knownCommitted,
    settledIndex: floor.index,
    appliedIndex: knownCommitted,
    applyingIndex: knownCommitted,
    verifiedIndex: 0,
    durable: { index: lastIndex, hardState },
    writes: [],
    unissued: null,
    lastSequence: 0,
    silentUntil: now,
    leaderHeardAt: null,
    votes: [],
    owed: { vote: null, acknowledgement: null },
    progress: [],
    rounds: [],
    lastRound: 0,
    quorumConfirmedAt: null,
    termStartIndex: 0,
    uncommittedBytes: 0,
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
    ({ index, configuration }) => index <= knownCommitted && isMember(configuration, self),
  );
  if (mayHavePromised(state)) state.silentUntil = now + options.electionTimeoutMinMs;
  armElectionTimer({ state, random, effects: [] });
  return state;
}

/**
 * The previous run may have told a leader, just before it ended, that it votes for nobody else for one
 * election timeout (dissertation 6.4.1, and CheckQuorum). That is not on disk, so it is kept by saying
 * nothing for as long. In term 0 no leader was ever answered, since an answer needs a durable term; and
 * a sole voter has nobody to deceive.
 */
function mayHavePromised(state: RaftState): boolean {
  return state.hardState.term > 0 && !selfIsSoleVoter(state);
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
