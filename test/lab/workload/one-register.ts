import type { WorkloadSpec } from '../../../lab/scenario/scenario.ts';
import type { KvResult } from '../../../lab/workload/history.ts';
import type { KvCommand, KvQuery } from '../../../lab/workload/kv.ts';
import { KvStateMachine } from '../../../lab/workload/kv.ts';
import type { ClientTarget } from '../../../lab/workload/kv-clients.ts';
import { KvClients } from '../../../lab/workload/kv-clients.ts';
import { SimulatedClock } from '../../../lab/world/simulated/clock.ts';
import { SimulatedProcess } from '../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../lab/world/simulated/simulation.ts';
import type { NodeId } from '../../../src/raft/identity.ts';

export const spec: WorkloadSpec = {
  kind: 'kv',
  clients: 4,
  operationsPerSecond: 100,
  keys: 3,
  mix: { read: 5, write: 3, cas: 2 },
  reads: 'linearizable',
  timeoutMs: 1000,
  lostAnswersPerMille: 0,
  sessions: false,
  overload: null,
};

/** What became of one attempt: an answer after so many milliseconds, an error, or silence. */
export type Answer =
  | { readonly afterMs: number }
  | { readonly afterMs: number; readonly error: Error; readonly applied?: boolean }
  | 'silence';

export interface Attempt {
  readonly atMs: number;
  readonly replica: NodeId;
  readonly call: KvCommand | KvQuery;
  readonly timeoutMs: number;
}

/**
 * Clients of one true copy that pretends to be three replicas. `answer` decides on each attempt; what is
 * answered without an error, or `applied` with one, takes effect when the answer is given.
 */
export class OneRegister {
  readonly simulation: Simulation;
  readonly clients: KvClients;
  readonly attempts: Attempt[] = [];
  readonly #machine = new KvStateMachine();
  #index = 0;

  constructor(
    answer: (attempt: Attempt, number: number) => Answer,
    options: { seed?: number; spec?: Partial<WorkloadSpec> } = {},
  ) {
    this.simulation = new Simulation({ seed: options.seed ?? 1 });
    const process = new SimulatedProcess(this.simulation, 'clients');
    const clock = new SimulatedClock({ simulation: this.simulation, name: 'clients', originUs: 0 });
    const serve = (attempt: Attempt): Promise<KvResult> => {
      this.attempts.push(attempt);
      const given = answer(attempt, this.attempts.length);
      if (given === 'silence') return new Promise(() => {});
      return new Promise((resolve, reject) => {
        this.simulation.schedule(given.afterMs * 1000, 'answer', () => {
          const failed = 'error' in given;
          const result = failed && !given.applied ? null : this.#apply(attempt.call);
          if (failed) reject(given.error);
          else if (result) resolve(result);
        });
      });
    };
    const target: ClientTarget = {
      replicas: () => ['n1', 'n2', 'n3'],
      propose: (replica, call, { timeoutMs }) => serve({ atMs: this.nowMs, replica, call, timeoutMs }),
      read: (replica, call, { timeoutMs }) => serve({ atMs: this.nowMs, replica, call, timeoutMs }),
      openSession: () => Promise.reject(new Error('this register has no sessions')),
      proposeIn: () => Promise.reject(new Error('this register has no sessions')),
    };
    this.clients = new KvClients({
      clock: clock.door(process),
      random: this.simulation.random.stream('clients'),
      spec: { ...spec, ...options.spec },
      target,
    });
  }

  get nowMs(): number {
    return this.simulation.nowUs / 1000;
  }

  async run(forMs: number): Promise<void> {
    await this.simulation.run({ atUs: this.simulation.nowUs + forMs * 1000 });
  }

  #apply(call: KvCommand | KvQuery): KvResult {
    if (call.kind === 'read') return this.#machine.query(call);
    this.#index += 1;
    return this.#machine.apply(call, { index: this.#index, term: 1 });
  }
}
