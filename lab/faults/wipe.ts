import type { NodeId } from '../../src/raft/identity.ts';
import type { World } from '../world/world.ts';
import type { Strike } from './fault.ts';

/**
 * The processes die and their disks are emptied; healing starts them again with the flags they had, which is
 * all that they know then.
 */
export function strikeWipe(on: readonly NodeId[], world: World): Strike {
  for (const id of on) world.wipe(id);
  return {
    what: `wipe: ${on.join(', ')}`,
    heal: () => {
      for (const id of on) world.restart(id);
    },
  };
}
