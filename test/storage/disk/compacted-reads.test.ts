import { describe, expect, it } from 'vitest';
import { EntriesGone } from '../../../src/storage/errors.ts';
import { type BackendName, Machine } from './machine.ts';

const configuration = { id: '1.1', voters: [], outgoing: [], learners: [], retired: [] };

describe.each(['files', 'level'] as const)(
  'reads of the %s backend that take long',
  (backend: BackendName) => {
    it('find entries, or find them gone, while floors take their blocks away, and fail nothing', async () => {
      const counts = { found: 0, gone: 0 };
      for (let seed = 1; seed <= 20; seed += 1) {
        const machine = new Machine({ seed, backend });
        machine.device.setLatency({
          read: { fromUs: 20, toUs: 20_000 },
          write: { fromUs: 20, toUs: 100 },
          sync: { fromUs: 20, toUs: 100 },
        });
        const random = machine.simulation.random.stream('reads');
        await machine.live(
          async (storage) => {
            const instance = await storage.open({ id: 'n1' });
            const log = await instance.openLog('a');
            const writeId = { boot: 1, sequence: 1 };
            await log.write({ writeId, hardState: { term: 1, votedFor: null }, entries: [] });
            const payloadOf = (index: number): string => `${index} `.repeat(200);
            const reads: Promise<void>[] = [];
            let floor = 0;
            for (let index = 1; index <= 60; index += 1) {
              const payload = Buffer.from(payloadOf(index));
              await log.write({ writeId, entries: [{ kind: 'command', index, term: 1, payload }] });
              const from = random.integer(floor + 1, index + 1);
              const read = log.read({ from, to: index, bytesMax: 2000 }).then(
                (entries) => {
                  counts.found += 1;
                  expect(entries[0]?.index).toBe(from);
                  for (const entry of entries) {
                    if (entry.kind !== 'command') throw new Error('not what was written');
                    expect(Buffer.from(entry.payload).toString()).toBe(payloadOf(entry.index));
                  }
                },
                (error: unknown) => {
                  expect(error).toBeInstanceOf(EntriesGone);
                  counts.gone += 1;
                },
              );
              reads.push(read);
              if (index % 6 > 0) continue;
              floor = index - 2;
              await log.write({ writeId, entries: [], floor: { index: floor, term: 1, configuration } });
            }
            await Promise.all(reads);
          },
          { power: false },
        );
      }
      expect(counts.found).toBeGreaterThan(100);
      // A file goes on working for who reads it when its name is removed; a record does not.
      if (backend === 'level') expect(counts.gone).toBeGreaterThan(100);
      expect(counts.found + counts.gone).toBe(20 * 60);
    });
  },
);
