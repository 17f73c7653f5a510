import type { NodeId } from '../../src/raft/identity.ts';
import type { Fault } from '../scenario/scenario.ts';
import type { World } from '../world/world.ts';
import type { Strike } from './fault.ts';

/** Cuts the replicas off from all others, in one direction or both; among themselves they still talk. */
export function strikePartition(
  fault: Extract<Fault, { kind: 'partition' }>,
  on: readonly NodeId[],
  world: World,
): Strike {
  const others = world.replicas.filter((id) => !on.includes(id));
  // Whoever is taken in meanwhile is on the other side, too.
  const outside = world.machineIds.filter((id) => !on.includes(id));
  const links = on.flatMap((inside) =>
    outside.flatMap((other) => [
      ...(fault.direction === 'incoming' ? [] : [{ from: inside, to: other }]),
      ...(fault.direction === 'outgoing' ? [] : [{ from: other, to: inside }]),
    ]),
  );
  const mend = world.cut(links);
  const way = fault.direction === 'both' ? '' : `, ${fault.direction} only`;
  return {
    what: `partition: ${on.join(', ')} cut off from ${others.join(', ')}${way}`,
    heal: mend,
  };
}
