import type { StateMachine } from 'kontiki';

export type Command =
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  | { readonly kind: 'delete'; readonly key: string };

/** What was there before: null when nothing was. */
export type Result = { readonly previous: string | null };

export type Query = { readonly kind: 'get'; readonly key: string } | { readonly kind: 'dump' };

type Entry = readonly [key: string, value: string];

/** Small lines are sent together: a chunk costs a write and a checksum of its own. */
const CHUNK_CHARACTERS = 64 * 1024;

/** The replicated map: this is all a program has to bring. */
export class Store implements StateMachine<Command, Result, Query, string | null> {
  #values = new Map<string, string>();

  apply(command: Command): Result {
    const previous = this.#values.get(command.key) ?? null;
    if (command.kind === 'put') this.#values.set(command.key, command.value);
    else this.#values.delete(command.key);
    return { previous };
  }

  query(query: Query): string | null {
    return query.kind === 'get' ? (this.#values.get(query.key) ?? null) : this.dump();
  }

  /**
   * The state as of this call, while `apply` goes on: the list of entries is copied now and written out
   * later. The strings are shared, so the copy costs two references for each key.
   *
   * One JSON line for each entry, in the map's own order. That is the same on every replica, also after a
   * restore, so replicas write the same bytes at the same index, and a transfer goes on under another leader.
   */
  snapshot(): Iterable<Uint8Array> {
    return linesOf([...this.#values]);
  }

  /** Replaces the state once all of the snapshot has been read; one that breaks off changes nothing. */
  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const values = new Map<string, string>();
    const decoder = new TextDecoder('utf-8', { fatal: true });
    let rest = '';
    const take = (text: string): void => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) values.set(...(JSON.parse(line) as Entry));
    };
    // Chunks end anywhere, also within a line or a character.
    for await (const chunk of chunks) take(decoder.decode(chunk, { stream: true }));
    take(decoder.decode());
    if (rest !== '') throw new Error(`the snapshot ends within a line: ${rest.slice(0, 80)}`);
    this.#values = values;
  }

  /** Everything this replica has applied, as JSON with sorted keys; perhaps behind the leader. */
  dump(): string {
    return JSON.stringify(Object.fromEntries([...this.#values].sort(([a], [b]) => (a < b ? -1 : 1))));
  }
}

function* linesOf(entries: readonly Entry[]): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  let lines = '';
  for (const entry of entries) {
    lines += `${JSON.stringify(entry)}\n`;
    if (lines.length < CHUNK_CHARACTERS) continue;
    yield encoder.encode(lines);
    lines = '';
  }
  if (lines !== '') yield encoder.encode(lines);
}
