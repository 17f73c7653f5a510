import type { OpenDatabase } from '../../src/doors/database.ts';
import { levelError, SimulatedDatabase } from '../world/simulated/database.ts';
import { normalizePath } from '../world/simulated/file-tree.ts';
import type { Medium } from './medium.ts';
import type { Process } from './process.ts';
import { RecordedDatabase } from './recorded-database.ts';

/** LevelDB for one process over a medium. */
export function mediumDatabases(medium: Medium, process: Process): OpenDatabase {
  const takesTime = medium.onRecord !== null;
  return (given) => {
    const directory = normalizePath(given);
    return new SimulatedDatabase({
      directory,
      name: 'it',
      room: () => Number.POSITIVE_INFINITY,
      recordBytes: () => {},
      submit: (operation) => {
        const syncs = operation.kinds.includes('sync');
        const body = (): ReturnType<typeof operation.apply> => {
          const before = medium.databases.get(directory)?.batchCount ?? 0;
          const result = operation.apply();
          const database = medium.databases.get(directory);
          if (database !== undefined && database.batchCount > before) {
            medium.writtenToDatabase(directory, { changes: database.lastBatchSize, synced: syncs });
          }
          return result;
        };
        return process.sync(takesTime && syncs, body);
      },
      claim: ({ createIfMissing }) => {
        if (!process.lock(`${directory}/LOCK`)) {
          throw levelError('LEVEL_LOCKED', `IO error: lock ${directory}/LOCK: already held by process`);
        }
        let database = medium.databases.get(directory);
        if (database === undefined && !createIfMissing) {
          throw new Error(`Invalid argument: ${directory}: does not exist (create_if_missing is false)`);
        }
        if (database?.opens === false) {
          process.unlock(`${directory}/LOCK`);
          throw levelError('LEVEL_CORRUPTION', `Corruption: ${directory}: missing files`);
        }
        database ??= new RecordedDatabase({ batches: [], opens: true });
        medium.databases.set(directory, database);
        return database;
      },
      release: () => process.unlock(`${directory}/LOCK`),
    });
  };
}
