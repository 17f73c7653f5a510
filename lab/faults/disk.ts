import type { NodeId } from '../../src/raft/identity.ts';
import type { DiskTrouble } from '../scenario/scenario.ts';
import type { World } from '../world/world.ts';
import type { Strike } from './fault.ts';

/** The replicas' disks fail a number of times with EIO, or hang or are slow until it heals. */
export function strikeDisk(fault: DiskTrouble, on: readonly NodeId[], world: World): Strike {
  switch (fault.how) {
    case 'fails': {
      const { operation, times } = fault;
      for (const id of on) world.failDisk(id, operation, times);
      const which = times === 1 ? `next ${operation}` : `next ${times} ${operation}s`;
      return { what: `disk: the ${which} of ${on.join(', ')} fails`, heal: () => {} };
    }
    case 'hangs':
      return { what: `disk: ${on.join(', ')} hangs`, heal: all(on.map((id) => world.hangDisk(id))) };
    case 'slows': {
      const { latency } = fault;
      return {
        what: `disk: ${on.join(', ')} takes ${latency.fromMs}..${latency.toMs} ms`,
        heal: all(on.map((id) => world.slowDisk(id, latency))),
      };
    }
  }
}

function all(heals: readonly (() => void)[]): () => void {
  return () => {
    for (const heal of heals) heal();
  };
}
