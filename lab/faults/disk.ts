import type { NodeId } from '../../src/raft/identity.ts';
import type { Fault } from '../scenario/scenario.ts';
import type { World } from '../world/world.ts';
import type { Strike } from './fault.ts';

/** The next writes or syncs of the replicas' disks fail with EIO. */
export function strikeDisk(
  fault: Extract<Fault, { kind: 'disk' }>,
  on: readonly NodeId[],
  world: World,
): Strike {
  for (const id of on) world.failDisk(id, fault.operation, fault.times);
  const which = fault.times === 1 ? `next ${fault.operation}` : `next ${fault.times} ${fault.operation}s`;
  return { what: `disk: the ${which} of ${on.join(', ')} fails`, heal: () => {} };
}
