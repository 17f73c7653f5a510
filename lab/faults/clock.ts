import type { NodeId } from '../../src/raft/identity.ts';
import type { Fault } from '../scenario/scenario.ts';
import type { World } from '../world/world.ts';
import type { Strike } from './fault.ts';

/** Sets the replicas' clocks by an offset, and back when it heals; runs them fast or slow meanwhile. */
export function strikeClock(
  fault: Extract<Fault, { kind: 'clock' }>,
  on: readonly NodeId[],
  world: World,
): Strike {
  const { offsetMs, ratePerMille } = fault;
  for (const id of on) {
    world.jumpClock(id, offsetMs);
    world.setClockRate(id, ratePerMille);
  }
  const parts = [
    offsetMs === 0 ? null : `${offsetMs > 0 ? 'forwards' : 'backwards'} by ${Math.abs(offsetMs)} ms`,
    ratePerMille === 1000 ? null : `at ${ratePerMille / 1000} of true speed`,
  ].filter((part) => part !== null);
  return {
    what: `clock: ${on.join(', ')} ${parts.join(', ')}`,
    heal: () => {
      for (const id of on) {
        world.jumpClock(id, -offsetMs);
        world.setClockRate(id, 1000);
      }
    },
  };
}
