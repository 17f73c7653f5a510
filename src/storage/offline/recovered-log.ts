import type { Entry } from '../../raft/entry.ts';
import type { Beginning, Founding } from './new-cluster.ts';
import type { OpenedCopy } from './survivor.ts';

const READ_BYTES = 1024 * 1024;

/**
 * The beginning that a survivor's snapshot and log give a new cluster: the snapshot as it is, and every entry after
 * it at its own index and term, so that the state machine is given the same commands with the same `meta`.
 *
 * Only configurations are others. Where the log begins stands the new one: in the place of the snapshot's, or as
 * entry 1. Each later one of the old cluster becomes a no-op of the same index and term. Left there it would come
 * back into force, with members that are lost; and no member would take it from another, since it names another
 * cluster. As a no-op it changes nothing else: neither reaches the state machine. What the old one decided is void:
 * the new configuration is in force from the first entry on, in all logs, and a change of it comes after them all.
 */
export function beginningOf(
  { held, log, snapshots }: OpenedCopy,
  options: { readonly term: number; readonly signal: AbortSignal | undefined },
): Beginning {
  const { group, snapshot } = held;
  const { signal, term } = options;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    if (snapshot === null) return;
    for (let offset = 0; offset < snapshot.size; ) {
      signal?.throwIfAborted();
      const chunk = await snapshots.read(snapshot, { offset, length: READ_BYTES });
      offset += chunk.length;
      yield chunk;
    }
  }
  async function* entries(founding: Founding): AsyncGenerator<readonly Entry[]> {
    const to = held.log.lastIndex;
    for (let from = held.log.snapshot.index + 1; from <= to; ) {
      signal?.throwIfAborted();
      const piece = await log.read({ from, to, bytesMax: READ_BYTES });
      from += piece.length;
      yield piece.map((entry) => renewed(entry, founding));
    }
  }
  return { group, term, snapshot: snapshot === null ? null : { meta: snapshot, chunks }, entries };
}

function renewed(entry: Entry, founding: Founding): Entry {
  if (entry.kind !== 'configuration') return entry;
  const { index, term } = entry;
  return index === 1 ? { ...entry, ...founding } : { kind: 'noop', index, term };
}
