import { expect, it } from 'vitest';
import type { Database } from '../../../src/doors/database.ts';
import { LevelBackend } from '../../../src/storage/disk/backends/level.ts';
import { MemoryDisk } from './memory-disk.ts';
import { block, seed } from './one-shard.ts';

const MIB = 1024 * 1024;

/** What is asked of a database, in order, by the first letter of the keys' group. */
function recorded(asked: string[]): Database {
  const names = (key: Uint8Array): string =>
    `${String.fromCharCode(key[0] ?? 0)}${Buffer.from(key).readUInt32BE(6)}`;
  return {
    batch: async () => {},
    clear: async ({ gte, lt }: { gte: Uint8Array; lt: Uint8Array }) => {
      asked.push(`clear ${names(gte)}..${names(lt)}`);
    },
    compactRange: async (start: Uint8Array, end: Uint8Array) => {
      asked.push(`compact ${names(start)}..${names(end)}`);
    },
  } as unknown as Database;
}

it('LevelDB is told to give back the room of what was removed, of all groups, once it is worth it', async () => {
  const asked: string[] = [];
  const backend = new LevelBackend(
    { disk: new MemoryDisk(), openDatabase: () => recorded(asked) },
    '/s',
    seed,
  );
  const large = Buffer.alloc(12 * MIB, 1);
  await backend.append([block('a', 1, large), block('b', 1, large)]);
  await backend.dropBelow('a', 2);
  expect(asked).toEqual(['clear a0..a2']);
  await backend.append([block('b', 2, large)]);
  await backend.dropBelow('b', 3);
  expect(asked.slice(1)).toEqual(['clear b0..b3', 'compact a0..a2', 'compact b0..b3']);
  await backend.dropBelow('b', 4);
  expect(asked.slice(4)).toEqual(['clear b0..b4']);
});
