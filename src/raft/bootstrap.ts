import type { Configuration } from './configuration.ts';
import { isVoter } from './configuration.ts';
import type { Context } from './context.ts';
import type { ClusterId } from './identity.ts';
import { InvariantViolation } from './invariant-violation.ts';
import { appendEntry, saveHardState } from './log-changes.ts';
import type { RaftState } from './state.ts';

/**
 * Entry 1 stands as if this replica had been elected in term 1 by itself alone; the vote for itself keeps
 * anybody else from leading term 1. It then campaigns like anyone, at once: an empty replica was never
 * told of a leader, so it promised nothing that it would have to wait for.
 */
export function foundCluster(context: Context, clusterId: ClusterId, configuration: Configuration): void {
  const { state } = context;
  if (state.log.lastIndex > 0 || state.hardState.term > 0) {
    throw new InvariantViolation(
      `bootstrap of a replica that is not empty: term ${state.hardState.term}, last index ${state.log.lastIndex}`,
    );
  }
  if (!isVoter(configuration, state.self)) {
    throw new InvariantViolation(
      `bootstrap of a cluster in which ${state.self.id} (${state.self.incarnation}) is no voter`,
    );
  }
  joinCluster(state, clusterId);
  saveHardState(state, 1, state.self);
  appendEntry(context, { kind: 'configuration', index: 1, term: 1, clusterId, configuration });
  state.timers.election = state.now;
}

export function joinCluster(state: RaftState, clusterId: ClusterId): void {
  if (state.clusterId !== null && state.clusterId !== clusterId) {
    throw new InvariantViolation(`${state.self.id} belongs to cluster ${state.clusterId}, not ${clusterId}`);
  }
  state.clusterId = clusterId;
}
