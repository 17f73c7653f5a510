import { emptyConfiguration } from '../raft/configuration.ts';
import type { NodeId } from '../raft/identity.ts';
import type { BootstrapMember } from '../raft/message.ts';
import type { Storage, StorageInstance, StorageOpenRequest } from '../storage/contract.ts';
import { type LostPromises, StorageRefused } from '../storage/errors.ts';

export interface OthersSettings {
  readonly id: NodeId;
  /** Who founded the cluster, and whom to ask to be let in: others it may still know when its log tells of nobody. */
  readonly bootstrap: readonly BootstrapMember[] | null;
  readonly join: readonly BootstrapMember[] | null;
}

/**
 * Opens a storage. One whose promises are lost is kept aside, and this replica comes back as another server under its
 * id, which asks the others to let it in: a wiped replica (docs/identity.md). To all others that looks as if the old
 * one had crashed for good, so it costs nobody more than that would, however many are struck at once.
 *
 * It is not done where there are no others to ask, or none that would have what this one had: it would help nobody.
 *
 * @throws StorageRefused, and whatever else the storage throws.
 */
export async function openStorage(
  storage: Storage,
  request: StorageOpenRequest,
  settings: OthersSettings,
): Promise<StorageInstance> {
  try {
    return await storage.open(request);
  } catch (error) {
    if (!(error instanceof StorageRefused) || error.lostPromises === null) throw error;
    const why = whyItStays(error.lostPromises, settings);
    if (why === null) return storage.open({ ...request, putAside: true });
    const { reason, message, lostPromises } = error;
    throw new StorageRefused(reason, `${message} ${why}`, { cause: error, lostPromises });
  }
}

/** null where it is to be put aside. */
function whyItStays(
  { configurations }: LostPromises,
  { id, bootstrap, join }: OthersSettings,
): string | null {
  const isAnother = (member: { readonly id: NodeId }): boolean => member.id !== id;
  for (const configuration of configurations) {
    const { voters, outgoing } = configuration ?? emptyConfiguration;
    if (voters.length === 0 || [...voters, ...outgoing].some(isAnother)) continue;
    return (
      'As far as its log can be read this replica is the only voter, so nobody else has what was in it. It was left ' +
      'as it is.'
    );
  }
  if ((join ?? bootstrap ?? []).some(isAnother)) return null;
  return (
    'Neither `bootstrap` nor `join` names another member that could be asked to let it in again, so it was left as ' +
    'it is. Where there are others, name them in `join`, and it comes back from them.'
  );
}
