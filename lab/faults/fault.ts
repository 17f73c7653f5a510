import type { NodeId } from '../../src/raft/identity.ts';
import type { Fault } from '../scenario/scenario.ts';
import type { World } from '../world/world.ts';
import { strikeClock } from './clock.ts';
import { strikeDisk } from './disk.ts';
import { strikeNetwork } from './network.ts';
import { strikePartition } from './partition.ts';
import { strikeCrash, strikePause } from './process.ts';
import { strikeWipe } from './wipe.ts';

/** A fault that struck. */
export interface Strike {
  /** One phrase for the report, for example `partition: n2 cut off from n1, n3`. */
  readonly what: string;
  /** Undoes it. A no-op for a fault of one moment. */
  heal(): void;
}

/** What strikes replicas; a change of the membership is no trouble, but an operation. */
export type StrikingFault = Exclude<Fault, { readonly kind: 'membership' }>;

/** Lets a fault strike these replicas, now. */
export function strike(fault: StrikingFault, on: readonly NodeId[], world: World): Strike {
  switch (fault.kind) {
    case 'partition':
      return strikePartition(fault, on, world);
    case 'network':
      return strikeNetwork(fault, on, world);
    case 'disk':
      return strikeDisk(fault, on, world);
    case 'clock':
      return strikeClock(fault, on, world);
    case 'crash':
      return strikeCrash(fault, on, world);
    case 'pause':
      return strikePause(on, world);
    case 'wipe':
      return strikeWipe(on, world);
  }
}
