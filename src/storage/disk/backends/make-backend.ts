import type { FileStorageSettings } from '../file-storage.ts';
import type { Backend } from './backend.ts';
import { FilesBackend } from './files.ts';
import { LevelBackend } from './level.ts';

/** The backend of one shard. @param seed - what the checksums of the storage's blocks begin with. */
export function makeBackend(
  settings: Pick<FileStorageSettings, 'backend' | 'segmentBytes' | 'doors'>,
  folder: string,
  seed: number,
): Backend {
  const { backend, doors, segmentBytes } = settings;
  if (backend === 'level') return new LevelBackend(doors, folder, seed);
  return new FilesBackend(doors.disk, folder, seed, segmentBytes);
}
