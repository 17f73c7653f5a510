import { NotLeader } from '../../../src/node/errors.ts';
import type { ReadConsistency } from '../../../src/node/read-queue.ts';
import type { SessionToken } from '../../../src/node/sessions/session-token.ts';
import type { NodeId } from '../../../src/raft/identity.ts';
import type { KvResult } from '../../workload/history.ts';
import type { KvCommand, KvQuery } from '../../workload/kv.ts';
import type { ClientTarget } from '../../workload/kv-clients.ts';
import type { SimulatedCluster } from './cluster.ts';

/** The cluster as the clients of the key-value workload reach it: connections that machines can break. */
export function clientTarget(
  cluster: SimulatedCluster<KvCommand, KvResult, KvQuery, KvResult>,
  consistency: ReadConsistency,
): ClientTarget {
  const refused = (): Promise<never> => Promise.reject(new NotLeader(null));
  return {
    replicas: (): readonly NodeId[] => cluster.machineIds,
    propose: (replica, command, options) =>
      cluster.machine(replica).call((node) => node.propose(command, options)) ?? refused(),
    read: (replica, query, options) =>
      cluster.machine(replica).call((node) => node.read(query, { ...options, consistency })) ?? refused(),
    openSession: (replica, options): Promise<SessionToken> =>
      cluster.machine(replica).call(async (node) => (await node.session(options)).token) ?? refused(),
    proposeIn: (replica, token, command, options) =>
      cluster.machine(replica).call(async (node) => {
        const session = await node.session({ resume: token });
        const isNew = token.unanswered.length === 0;
        return isNew ? session.propose(command, options) : session.retry(command, options);
      }) ?? refused(),
  };
}
