import type { Random } from '../../src/doors/random.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import type { Selector } from '../scenario/scenario.ts';
import type { World } from '../world/world.ts';

/**
 * Whom a selector means at this moment, in the cluster's order; null while it needs a leader and there
 * is none. Ids mean machines, everything else the voters of the time.
 */
export function resolveSelector(selector: Selector, world: World, random: Random): NodeId[] | null {
  const { replicas } = world;
  switch (selector.kind) {
    case 'ids':
      return world.machineIds.filter((id) => selector.ids.includes(id));
    case 'all':
      return [...replicas];
    case 'leader': {
      const leader = world.leader();
      return leader === null ? null : [leader];
    }
    case 'followers': {
      const leader = world.leader();
      if (leader === null) return null;
      const followers = replicas.filter((id) => id !== leader);
      return selector.count === 'all' ? followers : choose(selector.count, followers, random);
    }
    case 'minority':
      return choose(Math.max(1, Math.ceil(replicas.length / 2) - 1), replicas, random);
    case 'majority':
      return choose(Math.floor(replicas.length / 2) + 1, replicas, random);
    case 'random':
      return choose(selector.count, replicas, random);
  }
}

/** `count` of them, each set equally likely, in the given order. */
function choose(count: number, from: readonly NodeId[], random: Random): NodeId[] {
  const left = [...from];
  while (left.length > count) left.splice(random.integer(0, left.length), 1);
  return left;
}
