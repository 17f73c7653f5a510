import type { Random } from '../../src/doors/random.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import type { PartitionShape } from '../scenario/scenario.ts';
import type { Link, World } from '../world/world.ts';
import type { Strike, Targets } from './fault.ts';

/** Cuts the links that the shape leaves out, until it heals. */
export function strikePartition(
  fault: PartitionShape,
  targets: Targets,
  world: World,
  random: Random,
): Strike {
  switch (fault.shape) {
    case 'cut-off':
      return cutOff(fault.direction, targets, world);
    case 'bridge':
      return bridge(targets.on, world, random);
    case 'ring':
      return ring(targets.on, world);
  }
}

/** Among themselves the replicas still talk, unless it is from each other that they are cut off. */
function cutOff(
  direction: Extract<PartitionShape, { shape: 'cut-off' }>['direction'],
  { on, from }: Targets,
  world: World,
): Strike {
  const others = from ?? world.replicas.filter((id) => !on.includes(id));
  // Whoever is taken in meanwhile is on the other side, too.
  const outside = from ?? world.machineIds.filter((id) => !on.includes(id));
  const links = on.flatMap((inside) =>
    outside.flatMap((other) => [
      ...(direction === 'incoming' || other === inside ? [] : [{ from: inside, to: other }]),
      ...(direction === 'outgoing' || other === inside ? [] : [{ from: other, to: inside }]),
    ]),
  );
  const way = direction === 'both' ? '' : `, ${direction} only`;
  return {
    what: `partition: ${on.join(', ')} cut off from ${others.join(', ')}${way}`,
    heal: world.cut(links),
  };
}

/** Two halves, chosen at random and as equal as can be, and one replica that sees both. */
function bridge(on: readonly NodeId[], world: World, random: Random): Strike {
  const left = world.replicas.filter((id) => !on.includes(id));
  const right: NodeId[] = [];
  while (right.length < left.length) right.push(...left.splice(random.integer(0, left.length), 1));
  const heal = world.cut(left.flatMap((one) => right.flatMap((other) => bothWays(one, other))));
  return {
    what: `partition: a bridge, ${left.join(', ')} | ${on.join(', ')} | ${right.join(', ')}`,
    heal,
  };
}

/** In the cluster's order, and the last beside the first. */
function ring(on: readonly NodeId[], world: World): Strike {
  const isNeighbour = (one: number, other: number): boolean =>
    Math.abs(one - other) === 1 || Math.abs(one - other) === on.length - 1;
  const links = on.flatMap((one, at) =>
    on.flatMap((other, place) => (place <= at || isNeighbour(at, place) ? [] : bothWays(one, other))),
  );
  return { what: `partition: a ring, ${on.join(' - ')} -`, heal: world.cut(links) };
}

function bothWays(one: NodeId, other: NodeId): Link[] {
  return [
    { from: one, to: other },
    { from: other, to: one },
  ];
}
