import type { NodeId } from '../../src/raft/identity.ts';
import type { History } from '../workload/history.ts';
import { AcknowledgedWrites } from './acknowledged-writes.ts';
import type { Checker } from './checker.ts';
import { CommitQuorum } from './commit-quorum.ts';
import { ConfigurationOverlap } from './configuration-overlap.ts';
import { DamageRemembered } from './damage-remembered.ts';
import { DurableBeforeSend } from './durable-before-send.ts';
import { ElectionSafety } from './election-safety.ts';
import { ExactlyOnce } from './exactly-once.ts';
import { LeaderAppendOnly } from './leader-append-only.ts';
import { LeaderCompleteness } from './leader-completeness.ts';
import { Linearizability } from './linearizability.ts';
import { LogMatching } from './log-matching.ts';
import { Monotone } from './monotone.ts';
import { PersistedSurvives } from './persisted-survives.ts';
import type { StateDigest } from './replica-equality.ts';
import { ReplicaEquality } from './replica-equality.ts';
import { StateMachineSafety } from './state-machine-safety.ts';

/** What the checkers of the key-value workload need besides the observations. */
export interface StandardCheckersOptions {
  readonly history: History;
  /** The codec by which the replicas encode commands. */
  readonly decodeCommand: (payload: Uint8Array) => unknown;
  /** How they keep results for the retries of sessions; null when the clients use none. */
  readonly decodeResult: ((result: Uint8Array) => unknown) | null;
  /** Of the replica's present state machine; null when it runs none. */
  readonly digestOf: (replica: NodeId) => StateDigest | null;
}

/**
 * | checker               | property                                    | source            |
 * |-----------------------|---------------------------------------------|-------------------|
 * | election-safety       | one leader per term                         | paper 5.2         |
 * | leader-append-only    | a leader only appends                       | paper 5.3         |
 * | log-matching          | same index and term, same log up to there   | paper 5.3         |
 * | leader-completeness   | later leaders hold what was committed       | paper 5.4.3       |
 * | state-machine-safety  | same entry applied at an index, in order    | paper 5.4.3       |
 * | monotone              | term, vote, commit, applied never go back   | paper 5.1 to 5.3  |
 * | durable-before-send   | no promise before it is durable             | paper, figure 2   |
 * | persisted-survives    | a reopened storage holds what it said       | paper, figure 2   |
 * | damage-remembered     | what a disk lost still binds its replica    | paper 5.4.1       |
 * | commit-quorum         | committed by a durable quorum, own term     | paper 5.3, 5.4.2  |
 * | configuration-overlap | no two quorums decide apart, same everywhere | dissertation 4    |
 * | replica-equality      | equal state at equal index                  | paper 2           |
 * | acknowledged-writes   | nothing acknowledged lost, nothing twice    | dissertation 6.3  |
 * | exactly-once          | retried in a session, applied once          | dissertation 6.3  |
 * | linearizability       | as if there were one copy                   | Herlihy, Wing     |
 *
 * `exactly-once` is among them when the clients use sessions. The order is that of diagnosis: when one step breaks several, the first is nearest to the cause.
 */
export function standardCheckers(options: StandardCheckersOptions): Checker[] {
  const { decodeResult } = options;
  return [
    new PersistedSurvives(),
    new DamageRemembered(),
    new DurableBeforeSend(),
    new Monotone(),
    new ElectionSafety(),
    new LeaderAppendOnly(),
    new LogMatching(),
    new CommitQuorum(),
    new ConfigurationOverlap(),
    new LeaderCompleteness(),
    new StateMachineSafety(),
    new ReplicaEquality(options.digestOf),
    new AcknowledgedWrites(options.history, options.decodeCommand),
    ...(decodeResult === null ? [] : [new ExactlyOnce({ ...options, decodeResult })]),
    new Linearizability(options.history),
  ];
}
