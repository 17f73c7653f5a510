import type { Random } from '../../src/doors/random.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import type { Fault } from '../scenario/scenario.ts';
import type { World } from '../world/world.ts';
import { strikeClock } from './clock.ts';
import { strikeDisk } from './disk.ts';
import { strikeNetwork } from './network.ts';
import { strikePartition } from './partition.ts';
import { strikeCrash, strikePause } from './process.ts';
import { resolveSelector } from './resolve-selector.ts';
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

/** Whom a fault is about, by the moment it strikes. */
export interface Targets {
  readonly on: readonly NodeId[];
  /** From whom a partition cuts them off; null where it does not say. */
  readonly from: readonly NodeId[] | null;
}

/** null while it names the leader and there is none. */
export function resolveTargets(fault: StrikingFault, world: World, random: Random): Targets | null {
  const on = resolveSelector(fault.on, world, random);
  if (on === null) return null;
  if (fault.kind !== 'partition' || fault.shape !== 'cut-off' || fault.from === null)
    return { on, from: null };
  const from = resolveSelector(fault.from, world, random);
  return from === null ? null : { on, from };
}

/** Lets a fault strike these replicas, now. */
export function strike(fault: StrikingFault, targets: Targets, world: World, random: Random): Strike {
  const { on } = targets;
  switch (fault.kind) {
    case 'partition':
      return strikePartition(fault, targets, world, random);
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
