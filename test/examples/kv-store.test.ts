import { expect, it } from 'vitest';
import { Store } from '../../examples/kv/store.ts';

function storeOf(entries: Readonly<Record<string, string>>): Store {
  const store = new Store();
  for (const [key, value] of Object.entries(entries)) store.apply({ kind: 'put', key, value });
  return store;
}

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

const entries = { plain: 'value', 'new\nline': '"quoted"\n', ключ: '值 🦆', empty: '', lone: '\ud800' };

it('a snapshot holds the state as of the call, whatever is applied while it is read', () => {
  const store = storeOf(entries);
  const before = Buffer.concat([...store.snapshot()]);
  const late = store.snapshot();
  store.apply({ kind: 'put', key: 'plain', value: 'other' });
  store.apply({ kind: 'delete', key: 'empty' });
  store.apply({ kind: 'put', key: 'later', value: 'one' });
  expect(Buffer.concat([...late])).toEqual(before);
  expect(Buffer.concat([...store.snapshot()])).not.toEqual(before);
});

it.each([1, 2, 3, 7, 1_000_000])(
  'a snapshot in pieces of %i bytes restores the same state',
  async (length) => {
    const content = Buffer.concat([...storeOf(entries).snapshot()]);
    const restored = storeOf({ old: 'gone' });
    await restored.restore(inPieces(content, length));
    expect(restored.dump()).toBe(storeOf(entries).dump());
    // So that a transfer goes on under another leader, which restored the state, perhaps, instead of applying it.
    expect(Buffer.concat([...restored.snapshot()])).toEqual(content);
  },
);

it('a large store is snapshot in several chunks', async () => {
  const store = new Store();
  for (let i = 0; i < 3_000; i += 1) store.apply({ kind: 'put', key: `${i}`, value: 'x'.repeat(100) });
  const chunks = [...store.snapshot()];
  expect(chunks.length).toBeGreaterThan(3);
  const restored = new Store();
  await restored.restore(inPieces(Buffer.concat(chunks), 10_000));
  expect(restored.dump()).toBe(store.dump());
});

it('the snapshot of an empty store empties another', async () => {
  const restored = storeOf(entries);
  await restored.restore(inPieces(Buffer.concat([...new Store().snapshot()]), 10));
  expect(restored.dump()).toBe('{}');
});

it('a snapshot that breaks off, or ends within a line, changes nothing', async () => {
  const content = Buffer.concat([...storeOf(entries).snapshot()]);
  const store = storeOf({ kept: 'value' });
  await expect(store.restore(inPieces(content.subarray(0, -1), 10))).rejects.toThrow('ends within a line');
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield content;
    throw new Error('the disk failed');
  }
  await expect(store.restore(broken())).rejects.toThrow('the disk failed');
  expect(store.dump()).toBe('{"kept":"value"}');
});
