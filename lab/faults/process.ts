import type { NodeId } from '../../src/raft/identity.ts';
import type { Fault } from '../scenario/scenario.ts';
import type { World } from '../world/world.ts';
import type { Strike } from './fault.ts';

/** The processes die, with or without the power of their machines; healing starts them again. */
export function strikeCrash(
  fault: Extract<Fault, { kind: 'crash' }>,
  on: readonly NodeId[],
  world: World,
): Strike {
  for (const id of on) world.crash(id, { power: fault.power });
  return {
    what: `${fault.power ? 'power cut' : 'crash'}: ${on.join(', ')}`,
    heal: () => {
      for (const id of on) world.restart(id);
    },
  };
}

/** The processes stand still, as under SIGSTOP. */
export function strikePause(on: readonly NodeId[], world: World): Strike {
  for (const id of on) world.pause(id);
  return {
    what: `pause: ${on.join(', ')}`,
    heal: () => {
      for (const id of on) world.resume(id);
    },
  };
}
