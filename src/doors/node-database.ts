import { Level } from 'level';
import type { OpenDatabase } from './database.ts';

/**
 * LevelDB. Its own compression is off: blocks are compressed, or are not worth it, before they come here.
 * A write buffer above 16 MiB raises stalls and the time to reopen; 4 MiB is LevelDB's default.
 */
export function nodeOpenDatabase(): OpenDatabase {
  return (directory) =>
    new Level<Uint8Array, Uint8Array>(directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      compression: false,
      writeBufferSize: 4 * 1024 * 1024,
    });
}
