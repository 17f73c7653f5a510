import type { NodeId } from '../../src/raft/identity.ts';
import type { Fault } from '../scenario/scenario.ts';
import type { World } from '../world/world.ts';
import type { Strike } from './fault.ts';

/** Worsens every link from and to the replicas. Of several on one link the latest counts. */
export function strikeNetwork(
  fault: Extract<Fault, { kind: 'network' }>,
  on: readonly NodeId[],
  world: World,
): Strike {
  const links = world.machineIds.flatMap((from) =>
    world.machineIds
      .filter((to) => from !== to && (on.includes(from) || on.includes(to)))
      .map((to) => ({ from, to })),
  );
  const heal = world.trouble(links, fault);
  const parts = [
    fault.latency === null ? null : `latency ${fault.latency.fromMs}..${fault.latency.toMs} ms`,
    fault.lossPerMille === null ? null : `loss ${fault.lossPerMille / 10}%`,
    fault.duplicatePerMille === null ? null : `duplicates ${fault.duplicatePerMille / 10}%`,
  ].filter((part) => part !== null);
  return {
    what: `network: ${parts.join(', ')} around ${on.join(', ')}`,
    heal,
  };
}
