import { describe, expect, it } from 'vitest';
import type { WriteRequest } from '../../../src/storage/contract.ts';
import { LogModel } from './log-model.ts';
import { type BackendName, Machine } from './machine.ts';

const SEEDS = 25;
const ROUNDS = 6;

/** Where a floor lies, told by the log as it was before. */
function kindOf(request: WriteRequest, end: number): string {
  const { floor } = request;
  if (floor === undefined) return request.cutFrom === undefined ? 'appends' : 'cuts';
  if (floor.index > end) return 'floors beyond the end';
  return floor.index === end ? 'floors at the end' : 'floors within';
}

describe.each(['files', 'level'] as const)('a log of the %s backend', (backend: BackendName) => {
  it('is what a list would be, whatever floors, cuts and openings follow one another', async () => {
    const kinds = new Map<string, number>();
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const machine = new Machine({ seed, backend });
      const random = machine.simulation.random.stream('writes');
      const models = [new LogModel('a'), new LogModel('b')];
      for (let round = 0; round < ROUNDS; round += 1) {
        await machine
          .live(
            async (storage) => {
              const instance = await storage.open({ id: 'n1' });
              const logs = [];
              for (const model of models) {
                const log = await instance.openLog(model.group);
                await model.checkRecovered(log);
                logs.push({ log, model, end: log.recovered.lastIndex });
              }
              const writes: Promise<void>[] = [];
              for (let step = 1; step <= 30; step += 1) {
                const one = logs[random.integer(0, logs.length)];
                if (one === undefined) throw new Error('no log');
                const { request, acknowledge } = one.model.next(random, { boot: 1, sequence: step });
                const end = request.entries.at(-1)?.index ?? (request.cutFrom ?? one.end + 1) - 1;
                const kind = kindOf(request, end);
                kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
                one.end = Math.max(end, request.floor?.index ?? 0);
                writes.push(one.log.write(request).then(acknowledge));
                if (random.chance(300)) await Promise.all(writes);
              }
              await Promise.all(writes);
              for (const { log, model } of logs) await model.checkLive(log);
              if (random.chance(500)) await instance.close();
            },
            { power: random.chance(500) },
          )
          .catch((error: unknown) => {
            const why = error instanceof Error ? error.message : error;
            throw new Error(`seed ${seed}, round ${round}: ${why}`, { cause: error });
          });
      }
    }
    console.log(`${backend}: ${JSON.stringify(Object.fromEntries(kinds))}`);
    for (const kind of ['cuts', 'floors within', 'floors at the end', 'floors beyond the end']) {
      expect(kinds.get(kind) ?? 0, kind).toBeGreaterThan(SEEDS / 3);
    }
  });
});
