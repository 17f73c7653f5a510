import type { Index } from '../../src/raft/entry.ts';

/** The whole state of a key-value map: what it holds, and the digest of how it came about. */
export interface KvSnapshot {
  readonly appliedIndex: Index;
  /** The two lanes of the chained digest, so that a restored map goes on with the same chain. */
  readonly high: number;
  readonly low: number;
  readonly values: readonly (readonly [key: string, value: number])[];
}

/** Keys in one chunk: few, so that even the lab's small states are several chunks. */
const KEYS_PER_CHUNK = 16;

/**
 * Lines of JSON: one that says how many keys follow, and one a key, in the order of the keys. Encoded
 * while it is read; `snapshot` must not change meanwhile.
 */
export function* encodeKvSnapshot({ appliedIndex, high, low, values }: KvSnapshot): Iterable<Uint8Array> {
  const sorted = [...values].sort(([a], [b]) => (a < b ? -1 : 1));
  yield encode(`${JSON.stringify({ appliedIndex, high, low, keys: sorted.length })}\n`);
  for (let at = 0; at < sorted.length; at += KEYS_PER_CHUNK) {
    const lines = sorted.slice(at, at + KEYS_PER_CHUNK).map((pair) => `${JSON.stringify(pair)}\n`);
    yield encode(lines.join(''));
  }
}

/** Takes chunks of any size. @throws Error when they are not what `encodeKvSnapshot` gives. */
export async function decodeKvSnapshot(chunks: AsyncIterable<Uint8Array>): Promise<KvSnapshot> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  text += decoder.decode();
  const [head = '', ...lines] = text.split('\n');
  const { appliedIndex, high, low, keys } = JSON.parse(head) as Record<string, unknown>;
  const last = lines.pop();
  if (!isWhole(appliedIndex) || !isWhole(high) || !isWhole(low) || keys !== lines.length || last !== '') {
    throw new Error(`no snapshot of a key-value map: ${lines.length} keys after ${head}`);
  }
  const values = lines.map((line): [string, number] => {
    const [key, value] = JSON.parse(line) as unknown[];
    if (typeof key !== 'string' || !isWhole(value)) throw new Error(`no key and value: ${line}`);
    return [key, value];
  });
  return { appliedIndex, high, low, values };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
