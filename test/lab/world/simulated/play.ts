import type { Simulation } from '../../../../lab/world/simulated/simulation.ts';

/** Runs a simulation until the script has finished, and gives what it returned or throws what it threw. */
export async function play<T>(simulation: Simulation, script: () => Promise<T>): Promise<T> {
  let settle: (() => T) | null = null;
  script().then(
    (value) => {
      settle = () => value;
    },
    (error: unknown) => {
      settle = () => {
        throw error;
      };
    },
  );
  const reason = await simulation.run({ when: () => settle !== null });
  if (settle === null) throw new Error(`the script hangs: the simulation stopped, reason '${reason}'`);
  return (settle as () => T)();
}

/** What becomes of a promise within the time given. */
export async function stateAfter(
  simulation: Simulation,
  promise: Promise<unknown>,
  us: number,
): Promise<'pending' | 'resolved' | 'rejected'> {
  let state: 'pending' | 'resolved' | 'rejected' = 'pending';
  promise.then(
    () => {
      state = 'resolved';
    },
    () => {
      state = 'rejected';
    },
  );
  await simulation.run({ atUs: simulation.nowUs + us });
  return state;
}
