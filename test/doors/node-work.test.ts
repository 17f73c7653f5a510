import { describe, expect, it } from 'vitest';
import { nodeWork } from '../../src/doors/node-work.ts';

const work = nodeWork();
const data = Buffer.alloc(10_000, 'a line like many others\n');

describe("the machine's off-thread work", () => {
  it('compresses, and gives back what it compressed', async () => {
    const compressed = await work.gzip(data);
    expect(compressed.length).toBeLessThan(data.length / 10);
    expect(Buffer.from(await work.gunzip(compressed, data.length)).equals(data)).toBe(true);
    expect(await work.gunzip(await work.gzip(new Uint8Array(0)), 0)).toHaveLength(0);
  });

  it('refuses what would grow beyond the bound, by one byte', async () => {
    const compressed = await work.gzip(data);
    await expect(work.gunzip(compressed, data.length - 1)).rejects.toMatchObject({
      code: 'ERR_BUFFER_TOO_LARGE',
    });
  });

  it('refuses damaged data', async () => {
    const compressed = Buffer.from(await work.gzip(data));
    compressed.writeUInt8(compressed.readUInt8(20) ^ 1, 20);
    await expect(work.gunzip(compressed, data.length)).rejects.toThrow();
    await expect(work.gunzip(Buffer.from('no gzip'), 100)).rejects.toThrow(/header/);
  });
});
