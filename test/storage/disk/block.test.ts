import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../../src/doors/checksum.ts';
import { nodeWork } from '../../../src/doors/node-work.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import {
  type BlockContent,
  bodyIsIntact,
  packCompressed,
  readEntries,
  type SealedBlock,
  seal,
  sealPlain,
} from '../../../src/storage/disk/block.ts';
import { type CodecName, parseHeader } from '../../../src/storage/disk/block-header.ts';
import { Compression } from '../../../src/storage/disk/compression.ts';

const work = nodeWork();
const seed = 12345;

const codecsHere: readonly CodecName[] = work.zstd === null ? ['none', 'gzip'] : ['none', 'gzip', 'zstd'];

async function sealWith(content: BlockContent, codec: CodecName): Promise<SealedBlock> {
  const { entries, ...place } = content;
  const compress = new Compression(codec, work).of(place.group);
  if (compress === null) return sealPlain(content, seed);
  return seal(place, await packCompressed(place.group, entries, compress), seed);
}

/** What a reader makes of the bytes; null when it refuses them. */
async function unseal(bytes: Buffer, withSeed = seed): Promise<Entry[] | null> {
  const parsed = parseHeader(bytes, withSeed);
  if (!parsed.valid || !bodyIsIntact(parsed.header, bytes)) return null;
  return readEntries(parsed.header, bytes, work);
}

/** Consecutive entries whose terms rise by the steps; a null payload is a no-op. */
function entriesOf(
  firstIndex: number,
  firstTerm: number,
  steps: readonly { step: number; payload: Uint8Array | null }[],
): Entry[] {
  let term = firstTerm;
  return steps.map(({ step, payload }, i) => {
    term += step;
    const place = { index: firstIndex + i, term };
    if (payload === null) return { kind: 'noop', ...place };
    return { kind: payload.length % 3 === 1 ? 'session' : 'command', ...place, payload };
  });
}

const content: fc.Arbitrary<BlockContent> = fc
  .record({
    group: fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
    number: fc.integer({ min: 1, max: 2 ** 50 }),
    firstIndex: fc.integer({ min: 1, max: 2 ** 50 }),
    firstTerm: fc.integer({ min: 1, max: 2 ** 40 }),
    steps: fc.array(
      fc.record({
        step: fc.nat({ max: 1 }),
        payload: fc.option(fc.uint8Array({ maxLength: 200 }).map(Buffer.from), { freq: 4 }),
      }),
      { maxLength: 12 },
    ),
    commitOffset: fc.nat(),
    repairs: fc.boolean(),
  })
  .map(({ firstTerm, steps, repairs, ...rest }) => ({
    ...rest,
    entries: entriesOf(rest.firstIndex, firstTerm, steps),
    predecessor: { number: rest.number - 1, index: rest.firstIndex + 3, term: firstTerm },
    hardStateTerm: firstTerm + 20,
    durableNumber: rest.number - 1,
    voidFrom: 0,
    repairs,
  }));

const sample: BlockContent = {
  group: 'orders',
  number: 7,
  firstIndex: 10,
  entries: entriesOf(10, 3, [
    { step: 0, payload: Buffer.from('put x 1') },
    { step: 1, payload: null },
    { step: 0, payload: Buffer.alloc(0) },
    { step: 0, payload: Buffer.alloc(1200, 'y') },
  ]),
  predecessor: { number: 6, index: 12, term: 3 },
  hardStateTerm: 4,
  durableNumber: 6,
  voidFrom: 0,
  repairs: false,
  commitOffset: 0,
};

describe.each(codecsHere)('a block of codec %s', (codec) => {
  it('gives back what it was made of', async () => {
    await fc.assert(
      fc.asyncProperty(content, async (given) => {
        const { bytes, header } = await sealWith(given, codec);
        const parsed = parseHeader(bytes, seed);
        const { entries, ...named } = given;
        expect(parsed).toMatchObject({ valid: true, header: { ...named, entryCount: entries.length } });
        expect(parsed.valid ? parsed.header : null).toEqual(header);
        expect(await unseal(bytes)).toEqual(entries);
      }),
      { numRuns: 150 },
    );
  });

  it('is refused when any one bit of it is flipped', async () => {
    const { bytes } = await sealWith(sample, codec);
    for (let at = 0; at < bytes.length * 8; at += 1) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3);
      expect(await unseal(flipped), `bit ${at}`).toBeNull();
    }
  });

  it('is refused when it is cut short anywhere', async () => {
    const { bytes } = await sealWith(sample, codec);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(await unseal(bytes.subarray(0, length)), `${length} bytes`).toBeNull();
    }
  });

  it('is refused by another storage', async () => {
    const { bytes } = await sealWith(sample, codec);
    expect(await unseal(bytes, seed + 1)).toBeNull();
  });
});

describe('a block', () => {
  it('tells the terms of its entries as runs, and whether a configuration is among them', () => {
    const { header } = sealPlain(sample, seed);
    expect(header.runs).toEqual([
      { term: 3, firstIndex: 10 },
      { term: 4, firstIndex: 11 },
    ]);
    expect(header.hasConfiguration).toBe(false);
    const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };
    const entry: Entry = {
      kind: 'configuration',
      index: 10,
      term: 4,
      clusterId: '0123456789abcdef',
      configuration,
    };
    expect(sealPlain({ ...sample, entries: [entry] }, seed).header.hasConfiguration).toBe(true);
  });

  it('leaves the payloads it was given as they are', () => {
    const payload = Buffer.from('put x 1');
    sealPlain({ ...sample, entries: [{ kind: 'command', index: 10, term: 3, payload }] }, seed);
    expect(payload.toString()).toBe('put x 1');
  });

  it('is of the first version, except for a repair, which no older reader may take for a cut', () => {
    const versionOf = (repairs: boolean): number =>
      sealPlain({ ...sample, repairs }, seed).bytes.readUInt8(4);
    expect([versionOf(false), versionOf(true)]).toEqual([1, 2]);
    const { bytes } = sealPlain({ ...sample, repairs: true }, seed);
    expect(parseHeader(bytes, seed)).toMatchObject({ valid: true, header: { repairs: true, number: 7 } });
  });

  it('of an unknown version or codec says so, though its checksum is right', () => {
    for (const [at, reason] of [
      [4, /format version 9/],
      [5, /codec 9/],
    ] as const) {
      const { bytes } = sealPlain({ ...sample, entries: [] }, seed);
      bytes.writeUInt8(9, at);
      bytes.writeUInt32LE(0, 28);
      bytes.writeUInt32LE(crc32(bytes, seed), 28);
      expect(parseHeader(bytes, seed)).toMatchObject({ valid: false, reason: expect.stringMatching(reason) });
    }
  });
});
