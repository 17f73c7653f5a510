import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nodeWork } from '../../src/doors/node-work.ts';
import type { Compressor } from '../../src/doors/work.ts';

const work = nodeWork();
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

const formats: [string, Compressor][] = [['gzip', work.gzip]];
if (work.zstd !== null) formats.push(['zstd', work.zstd]);

/** On the calling thread, and on another one. */
const sizes = { small: 10_000, large: 200_000 };

describe.each(formats)("the machine's %s", (_, { compress, decompress }) => {
  it.each(Object.entries(sizes))(
    'compresses, and gives back what it compressed: %s',
    async (_size, bytes) => {
      const data = Buffer.alloc(bytes, 'a line like many others\n');
      const compressed = await compress(data);
      expect(compressed.length).toBeLessThan(data.length / 10);
      expect(Buffer.from(await decompress(compressed, data.length)).equals(data)).toBe(true);
    },
  );

  it('takes nothing, and what cannot be compressed', async () => {
    expect(await decompress(await compress(new Uint8Array(0)), 0)).toHaveLength(0);
    const noise = randomBytes(100_000);
    expect(Buffer.from(await decompress(await compress(noise), noise.length)).equals(noise)).toBe(true);
  });

  it.each(Object.entries(sizes))('refuses another length, by one byte: %s', async (_size, bytes) => {
    const compressed = await compress(Buffer.alloc(bytes, 'a line like many others\n'));
    await expect(decompress(compressed, bytes - 1)).rejects.toMatchObject({ code: 'ERR_BUFFER_TOO_LARGE' });
    await expect(decompress(compressed, bytes + 1)).rejects.toMatchObject({ code: 'Z_DATA_ERROR' });
  });

  it('never takes damaged data for something else', async () => {
    const data = Buffer.alloc(10_000, 'a line like many others\n');
    const compressed = Buffer.from(await compress(data));
    const givesNothingElse = async (damaged: Buffer, what: string): Promise<void> => {
      const given = await decompress(damaged, data.length).catch(() => null);
      expect(given === null || data.equals(given), what).toBe(true);
    };
    for (let bit = 0; bit < compressed.length * 8; bit += 1) {
      const flipped = Buffer.from(compressed);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      await givesNothingElse(flipped, `bit ${bit}`);
    }
    for (let length = 0; length < compressed.length; length += 1) {
      await givesNothingElse(compressed.subarray(0, length), `${length} bytes`);
    }
    await expect(decompress(Buffer.from('neither of them'), 100)).rejects.toThrow();
  });
});

describe('zstd', () => {
  it('is there where Node has it, and nowhere else', () => {
    const has = major >= 24 || (major === 23 && minor >= 8) || (major === 22 && minor >= 15);
    expect(work.zstd !== null).toBe(has);
  });
});
