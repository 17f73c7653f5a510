import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nodeWork } from '../../../src/doors/node-work.ts';
import type { Work } from '../../../src/doors/work.ts';
import type { Entry } from '../../../src/raft/entry.ts';
import {
  type BlockContent,
  bodyIsIntact,
  packCompressed,
  readEntries,
  type SealedBlock,
  seal,
} from '../../../src/storage/disk/block.ts';
import { Compression } from '../../../src/storage/disk/compression.ts';

const machine = nodeWork();
const seed = 1;

/** Bytes that no codec makes shorter; the same in each run. */
function noise(bytes: number): Buffer {
  const pieces: Buffer[] = [];
  for (let i = 0; i * 32 < bytes; i += 1) pieces.push(createHash('sha256').update(`${i}`).digest());
  return Buffer.concat(pieces).subarray(0, bytes);
}

const text = (bytes: number): Buffer => Buffer.alloc(bytes, '{"type":"order.placed","customer":"c-17"}');

/** How a body is stored, with real gzip in the place of what is not there. */
class Bodies {
  readonly tried: number[] = [];
  readonly #compression: Compression;

  constructor() {
    const { gzip } = machine;
    const compress = (data: Uint8Array): Promise<Uint8Array> => {
      this.tried.push(data.length);
      return gzip.compress(data);
    };
    this.#compression = new Compression('gzip', { gzip: { ...gzip, compress }, zstd: null });
  }

  async codecOf(raw: Buffer, group = 'a'): Promise<string> {
    const compress = this.#compression.of(group);
    if (compress === null) throw new Error('nothing is ever compressed');
    return (await compress(raw))?.codec ?? 'none';
  }
}

describe('a body', () => {
  it('is compressed from 1024 bytes on', async () => {
    const bodies = new Bodies();
    expect(await bodies.codecOf(text(1023))).toBe('none');
    expect(bodies.tried).toEqual([]);
    expect(await bodies.codecOf(text(1024))).toBe('gzip');
  });

  it('that does not shrink by an eighth is stored as it is', async () => {
    const half = Buffer.concat([noise(3000), text(3000)]);
    const little = Buffer.concat([noise(5700), text(300)]);
    expect(await new Bodies().codecOf(half)).toBe('gzip');
    expect(await new Bodies().codecOf(little)).toBe('none');
  });
});

describe('a group whose bodies do not shrink', () => {
  it('is tried ever more rarely, down to every 64th byte', async () => {
    const bodies = new Bodies();
    const triedAt: number[] = [];
    for (let body = 0; body < 300; body += 1) {
      const before = bodies.tried.length;
      expect(await bodies.codecOf(noise(2000))).toBe('none');
      if (bodies.tried.length > before) triedAt.push(body);
    }
    expect(triedAt).toEqual([0, 5, 22, 87, 152, 217, 282]);
  });

  it('is compressed again from the first try on that pays, and then each time', async () => {
    const bodies = new Bodies();
    for (let body = 0; body < 23; body += 1) await bodies.codecOf(noise(2000));
    const codecs: string[] = [];
    for (let body = 0; body < 70; body += 1) codecs.push(await bodies.codecOf(text(2000)));
    expect(codecs.indexOf('gzip')).toBe(64);
    expect(codecs.slice(64)).toEqual(Array(6).fill('gzip'));
    // One that failed again is forgiven as the first was.
    expect(await bodies.codecOf(noise(2000))).toBe('none');
    for (let body = 0; body < 4; body += 1) expect(await bodies.codecOf(text(2000))).toBe('none');
    expect(await bodies.codecOf(text(2000))).toBe('gzip');
  });

  it('after a small one that failed tries a large one soon, and is no matter of other groups', async () => {
    const bodies = new Bodies();
    await bodies.codecOf(noise(1100));
    expect(await bodies.codecOf(text(2000), 'b')).toBe('gzip');
    expect(await bodies.codecOf(text(50_000))).toBe('none');
    expect(await bodies.codecOf(text(50_000))).toBe('gzip');
  });
});

describe('a block of zstd', () => {
  const entries: Entry[] = [{ kind: 'command', index: 1, term: 1, payload: text(5000) }];
  const content: BlockContent = {
    group: 'a',
    number: 1,
    firstIndex: 1,
    predecessor: { number: 0, index: 0, term: 0 },
    hardStateTerm: 1,
    durableNumber: 0,
    voidFrom: 0,
    repairs: false,
    commitOffset: 0,
    entries,
  };
  /** Where this Node has no zstd, another format stands in its place. */
  const withZstd: Work = { gzip: machine.gzip, zstd: machine.zstd ?? machine.gzip };

  async function sealed(): Promise<SealedBlock> {
    const compress = new Compression('zstd', withZstd).of('a');
    if (compress === null) throw new Error('nothing is ever compressed');
    const { entries: _, ...place } = content;
    return seal(place, await packCompressed('a', entries, compress), seed);
  }

  it('is read where there is zstd', async () => {
    const { header, bytes } = await sealed();
    expect(header.codec).toBe('zstd');
    expect(await readEntries(header, bytes, withZstd)).toEqual(entries);
  });

  it('is whole where there is none, and its reader is told what it needs', async () => {
    const { header, bytes } = await sealed();
    expect(bodyIsIntact(header, bytes)).toBe(true);
    const reading = readEntries(header, bytes, { gzip: machine.gzip, zstd: null });
    await expect(reading).rejects.toThrow(
      'compressed with zstd, which needs Node 22.15, 23.8, or 24 and later',
    );
  });

  it('is not made where there is none', () => {
    expect(() => new Compression('zstd', { gzip: machine.gzip, zstd: null })).toThrow('no zstd here');
  });
});
