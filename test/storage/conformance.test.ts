import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeWork } from '../../src/doors/node-work.ts';
import { storageConformance } from '../../src/storage/conformance.ts';
import { fileStorage, memoryStorage } from '../../src/storage/index.ts';

storageConformance({ describe, it }, 'memory', async () => {
  const storage = memoryStorage();
  return { storage: () => storage, dispose: async () => {} };
});

const zstdIsHere = nodeWork().zstd !== null;
const shardsOf = { none: 1, gzip: 3, zstd: 2 } as const;

for (const backend of ['files', 'level'] as const) {
  for (const codec of ['none', 'gzip', 'zstd'] as const) {
    if (codec === 'zstd' && !zstdIsHere) continue;
    const shards = shardsOf[codec];
    storageConformance({ describe, it }, `${backend}, ${codec}, ${shards} shards`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'kontiki-conformance-'));
      return {
        storage: () => fileStorage({ directory, backend, codec, shards }),
        dispose: () => rm(directory, { recursive: true, force: true }),
      };
    });
  }
}

describe('the codec zstd', () => {
  it('conforms, above, or is refused by a Node without it', () => {
    const make = () => fileStorage({ directory: '/nowhere', codec: 'zstd' });
    if (zstdIsHere) expect(make).not.toThrow();
    else expect(make).toThrow(/"zstd" needs Node 22.15, 23.8, or 24 and later; this Node does not have it/);
  });
});
