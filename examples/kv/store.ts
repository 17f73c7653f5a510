import type { StateMachine } from 'kontiki';

export type Command =
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  | { readonly kind: 'delete'; readonly key: string };

/** What was there before: null when nothing was. */
export type Result = { readonly previous: string | null };

export type Query = { readonly kind: 'get'; readonly key: string } | { readonly kind: 'dump' };

/** The replicated map: this is all a program has to bring. */
export class Store implements StateMachine<Command, Result, Query, string | null> {
  readonly #values = new Map<string, string>();

  apply(command: Command): Result {
    const previous = this.#values.get(command.key) ?? null;
    if (command.kind === 'put') this.#values.set(command.key, command.value);
    else this.#values.delete(command.key);
    return { previous };
  }

  query(query: Query): string | null {
    return query.kind === 'get' ? (this.#values.get(query.key) ?? null) : this.dump();
  }

  /** Everything this replica has applied, as JSON with sorted keys; perhaps behind the leader. */
  dump(): string {
    return JSON.stringify(Object.fromEntries([...this.#values].sort(([a], [b]) => (a < b ? -1 : 1))));
  }
}
