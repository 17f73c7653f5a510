import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkReader } from '../../../src/node/sessions/chunk-reader.ts';
import type { SessionTableContent } from '../../../src/node/sessions/session-table.ts';
import { readSnapshotHead, withSnapshotHead } from '../../../src/node/sessions/snapshot-head.ts';
import { StorageRefused } from '../../../src/storage/index.ts';
import { bytesOf, emptyHead } from './snapshot-bytes.ts';

const content: SessionTableContent = {
  timeMs: 5_000,
  timeStepMaxMs: 100,
  resultBytesMax: 1_000,
  sessions: [
    {
      id: { index: 9, salt: 'ab'.repeat(8) },
      timeoutMs: 400,
      window: 4,
      lastActiveMs: 4_700,
      lowestUnanswered: 3,
      results: [
        { sequence: 4, index: 11, bytes: Buffer.from('four') },
        { sequence: 3, index: 12, bytes: null },
      ],
    },
    {
      id: { index: 7, salt: 'cd'.repeat(8) },
      timeoutMs: 800,
      window: 1,
      lastActiveMs: 5_000,
      lowestUnanswered: 1,
      results: [],
    },
  ],
};
const whole = await bytesOf(withSnapshotHead(content, []));

async function* inChunks(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}
const read = (bytes: Uint8Array, length = 7) =>
  readSnapshotHead(new ChunkReader(inChunks(bytes, length)), bytes.length);

describe('the head of a snapshot', () => {
  it.each([1, 2, 13, 1_000])('in chunks of %i bytes is the table that was written', async (length) => {
    expect(await read(whole, length)).toEqual(content);
  });

  it.each([1, 3, 1_000])("leaves exactly the user's bytes, in chunks of %i", async (length) => {
    for (const user of ['', 'u', 'the state of the user']) {
      const bytes = Buffer.concat([whole, Buffer.from(user)]);
      const reader = new ChunkReader(inChunks(bytes, length));
      await readSnapshotHead(reader, bytes.length);
      expect((await bytesOf(reader.rest())).toString()).toBe(user);
    }
  });

  it('is made in pieces, however large the results are together', async () => {
    const results = Array.from({ length: 100 }, (_, i) => ({
      sequence: i + 1,
      index: i + 10,
      bytes: new Uint8Array(10_000),
    }));
    const [first] = content.sessions;
    if (first === undefined) throw new Error('no session');
    const large = { ...content, sessions: [{ ...first, window: 100, lowestUnanswered: 1, results }] };
    const lengths: number[] = [];
    for await (const piece of withSnapshotHead(large, [])) lengths.push(piece.length);
    expect(lengths.length).toBeGreaterThan(10);
    expect(Math.max(...lengths)).toBeLessThan(64 * 1024 + 10_000);
  });

  it('of another version is refused as such, and so is a snapshot without one', async () => {
    const later = Buffer.from(whole);
    later.writeUInt8(2, 4);
    await expect(read(later)).rejects.toMatchObject({
      reason: 'other-format',
      message: expect.stringMatching(/of version 2, and this version reads 1 only/),
    });
    for (const none of [Buffer.from('{"keys":3}, and more of it'), Buffer.from('KT'), Buffer.alloc(0)]) {
      await expect(read(none)).rejects.toMatchObject({ reason: 'other-format' });
    }
  });

  it('that ends too early, at whatever byte, is refused', async () => {
    for (let length = 0; length < whole.length; length += 1) {
      await expect(read(whole.subarray(0, length))).rejects.toBeInstanceOf(StorageRefused);
    }
  });

  it('with whatever bytes changed is read or refused, and never makes room for more than there is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255) }), {
          minLength: 1,
          maxLength: 4,
        }),
        async (changes) => {
          const bytes = Buffer.from(whole);
          for (const { at, to } of changes) bytes[at] = to;
          await read(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(StorageRefused));
        },
      ),
      { seed: 3, numRuns: 2_000 },
    );
  });

  it.each([
    ['a session twice', { sessions: [...content.sessions, ...content.sessions] }],
    ['more results than its window', { sessions: content.sessions.map((one) => ({ ...one, window: 1 })) }],
    [
      'a result below what is acknowledged',
      { sessions: content.sessions.map((one) => ({ ...one, lowestUnanswered: 4 })) },
    ],
  ])('with %s is refused as damaged', async (_what, changed) => {
    const bytes = await bytesOf(withSnapshotHead({ ...content, ...changed }, []));
    await expect(read(bytes)).rejects.toMatchObject({ reason: 'damaged' });
  });
});

it('a stream that its reader leaves early is left behind it too', async () => {
  let left = false;
  const chunks = (async function* () {
    try {
      yield Buffer.from('one');
      yield Buffer.from('two');
    } finally {
      left = true;
    }
  })();
  const reader = new ChunkReader(chunks);
  await reader.take(1);
  for await (const chunk of reader.rest()) {
    expect(Buffer.from(chunk).toString()).toBe('ne');
    break;
  }
  expect(left).toBe(true);
});

it('an empty table is a head of 45 bytes', () => {
  expect(emptyHead.length).toBe(45);
});
