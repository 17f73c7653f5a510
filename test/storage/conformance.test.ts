import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { storageConformance } from '../../src/storage/conformance.ts';
import { fileStorage, memoryStorage } from '../../src/storage/index.ts';

storageConformance({ describe, it }, 'memory', async () => {
  const storage = memoryStorage();
  return { storage: () => storage, dispose: async () => {} };
});

for (const backend of ['files', 'level'] as const) {
  for (const codec of ['none', 'gzip'] as const) {
    const shards = codec === 'none' ? 1 : 3;
    storageConformance({ describe, it }, `${backend}, ${codec}, ${shards} shards`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'kontiki-conformance-'));
      return {
        storage: () => fileStorage({ directory, backend, codec, shards }),
        dispose: () => rm(directory, { recursive: true, force: true }),
      };
    });
  }
}
