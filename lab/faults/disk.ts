import type { NodeId } from '../../src/raft/identity.ts';
import type { DiskTrouble, RottenFiles } from '../scenario/scenario.ts';
import type { World } from '../world/world.ts';
import type { Strike } from './fault.ts';

/** The replicas' disks fail a number of times with EIO, rot, or hang, are slow or full until it heals. */
export function strikeDisk(fault: DiskTrouble, on: readonly NodeId[], world: World): Strike {
  switch (fault.how) {
    case 'fails': {
      const { operation, times } = fault;
      for (const id of on) world.failDisk(id, operation, times);
      const which = times === 1 ? `next ${operation}` : `next ${times} ${operation}s`;
      return { what: `disk: the ${which} of ${on.join(', ')} fails`, heal: () => {} };
    }
    case 'rots': {
      const { what, places } = fault;
      for (const id of on) world.rotDisk(id, what, places);
      const where = places === 1 ? 'one place of' : places === 'all' ? 'all of' : `${places} places of`;
      return { what: `disk: ${where} the ${NAMES[what]} of ${on.join(', ')} rot`, heal: () => {} };
    }
    case 'fills': {
      const { bytesLeft } = fault;
      const left = bytesLeft === 0 ? 'is full' : `has ${bytesLeft} bytes left`;
      return {
        what: `disk: ${on.join(', ')} ${left}`,
        heal: all(on.map((id) => world.fillDisk(id, bytesLeft))),
      };
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

const NAMES: Readonly<Record<RottenFiles, string>> = {
  blocks: 'blocks',
  'hard-state': 'hard state',
  identity: 'identity',
  mark: 'mark',
  floor: 'floor',
  snapshots: 'snapshots',
};

function all(heals: readonly (() => void)[]): () => void {
  return () => {
    for (const heal of heals) heal();
  };
}
