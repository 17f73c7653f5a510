import type { Configuration } from '../../../src/raft/configuration.ts';
import type { Index } from '../../../src/raft/entry.ts';
import type { OrderedChange } from '../world.ts';
import type { SimulatedMachine } from './machine.ts';

/** Asks one replica for a change, over a connection that breaks when it dies; null: it is down. */
export function askForChange<Command, Result, Query, Answer>(
  machine: SimulatedMachine<Command, Result, Query, Answer>,
  change: OrderedChange,
  timeoutMs: number,
): Promise<Configuration> | null {
  const { add, addLearners, promote, demote, remove, replace } = change;
  return machine.call((node) =>
    node.changeMembership(
      {
        add: [
          ...add.map((id) => ({ id, role: 'voter' as const })),
          ...addLearners.map((id) => ({ id, role: 'learner' as const })),
        ],
        promote,
        demote,
        remove,
        replace: replace.map(({ id, by }) => ({ id, by: { id: by } })),
      },
      { timeoutMs },
    ),
  );
}

/** By what a replica goes, as it says itself; null: it is down. */
export function whatIsKnown<Command, Result, Query, Answer>(
  machine: SimulatedMachine<Command, Result, Query, Answer>,
): { readonly configuration: Configuration; readonly commitIndex: Index } | null {
  return machine.node?.status() ?? null;
}

/** The configuration that a replica knows to be committed, if no change is under way; else null. */
export function settledConfiguration<Command, Result, Query, Answer>(
  machine: SimulatedMachine<Command, Result, Query, Answer>,
): Configuration | null {
  const status = machine.node?.status();
  if (status === undefined || status.configuration.outgoing.length > 0) return null;
  // An id is `index.term` of the entry that brought it.
  return Number.parseInt(status.configuration.id, 10) <= status.commitIndex ? status.configuration : null;
}
