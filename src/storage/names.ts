import type { GroupId, NodeId } from '../raft/identity.ts';
import { StorageRefused } from './errors.ts';

const pattern = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Names become parts of file names and keys, so none may lead out of its directory.
 *
 * @throws StorageRefused (`wrong-options`).
 */
export function refuseBadName(what: 'id' | 'group', name: NodeId | GroupId): void {
  if (typeof name === 'string' && pattern.test(name)) return;
  throw new StorageRefused(
    'wrong-options',
    `${what}: found ${JSON.stringify(name)}, expected 1 to 64 characters of A-Z a-z 0-9 . _ -`,
  );
}
