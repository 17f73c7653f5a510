import type { ApplyMeta, StateMachine } from '../../src/node/state-machine.ts';
import type { Index } from '../../src/raft/entry.ts';
import { ContentDigest } from './content-digest.ts';
import { digestValue, mixNumber, mixString, startDigest } from './digest.ts';
import type { KvCall, KvResult } from './history.ts';
import { decodeKvSnapshot, encodeKvSnapshot } from './kv-snapshot.ts';

/** What goes through the log. */
export type KvCommand = Exclude<KvCall, { kind: 'read' }>;
/** What is asked of the present state. */
export type KvQuery = Extract<KvCall, { kind: 'read' }>;

/**
 * The lab's replicated map from strings to numbers. It keeps two running digests: one chained over every
 * effect since entry 1, and one of what the map holds. Two replicas that applied the same index have both the
 * same, or their states differ. A snapshot carries the chain, for nothing else could tell it; of the content it
 * says nothing, so that what was restored is judged by the pairs that came.
 */
export class KvStateMachine implements StateMachine<KvCommand, KvResult, KvQuery, KvResult> {
  #values = new Map<string, number>();
  readonly #digest = startDigest();
  #content = new ContentDigest();
  #appliedIndex: Index = 0;

  /** The index of the last command applied; entries that are no commands do not reach a state machine. */
  get appliedIndex(): Index {
    return this.#appliedIndex;
  }

  /** Of all effects so far, a safe integer. */
  get digest(): number {
    return digestValue(this.#digest);
  }

  /** Of what the map holds now, a safe integer. */
  get content(): number {
    return this.#content.value;
  }

  get size(): number {
    return this.#values.size;
  }

  /** @throws TypeError when the command is none of ours: bytes were changed, or another codec was used. */
  apply(command: KvCommand, meta: ApplyMeta): KvResult {
    requireCommand(command, meta);
    this.#appliedIndex = meta.index;
    mixNumber(this.#digest, meta.index);
    mixString(this.#digest, command.key);
    if (command.kind === 'cas' && this.#get(command.key) !== command.expected) {
      mixNumber(this.#digest, -1);
      return { kind: 'cas', swapped: false, index: meta.index };
    }
    const replaced = this.#values.get(command.key);
    if (replaced !== undefined) this.#content.remove(command.key, replaced);
    this.#content.add(command.key, command.value);
    this.#values.set(command.key, command.value);
    mixNumber(this.#digest, command.value);
    const { index } = meta;
    return command.kind === 'cas' ? { kind: 'cas', swapped: true, index } : { kind: 'write', index };
  }

  query(query: KvQuery): KvResult {
    return { kind: 'read', value: this.#get(query.key) };
  }

  /** Equal states give equal bytes, whatever the order in which they came about. */
  snapshot(): Iterable<Uint8Array> {
    const { high, low } = this.#digest;
    return encodeKvSnapshot({ appliedIndex: this.#appliedIndex, high, low, values: [...this.#values] });
  }

  /** @throws Error when the bytes are no such snapshot; the state is then as before. */
  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { appliedIndex, high, low, values } = await decodeKvSnapshot(chunks);
    this.#appliedIndex = appliedIndex;
    this.#digest.high = high;
    this.#digest.low = low;
    this.#values = new Map(values);
    this.#content = new ContentDigest();
    for (const [key, value] of this.#values) this.#content.add(key, value);
  }

  #get(key: string): number | null {
    return this.#values.get(key) ?? null;
  }
}

/** Whether a decoded value has the shape of a command; what comes out of a log is parsed, not trusted. */
export function isKvCommand(value: unknown): value is KvCommand {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, key, value: written, expected } = value as Record<string, unknown>;
  if (typeof key !== 'string' || !Number.isSafeInteger(written)) return false;
  return kind === 'write' || (kind === 'cas' && (expected === null || Number.isSafeInteger(expected)));
}

function requireCommand(command: unknown, meta: ApplyMeta): asserts command is KvCommand {
  if (!isKvCommand(command)) {
    throw new TypeError(
      `entry ${meta.index} of term ${meta.term} is no command of the key-value workload: ${JSON.stringify(command)}`,
    );
  }
}
