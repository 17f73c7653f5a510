import { SessionTable } from '../../../src/node/sessions/session-table.ts';
import { withSnapshotHead } from '../../../src/node/sessions/snapshot-head.ts';

export async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

export const newCounts = () => ({ expired: 0, evicted: 0, repeated: 0 });

/** The head of a snapshot without sessions. */
export const emptyHead: Buffer = await bytesOf(withSnapshotHead(new SessionTable(newCounts()).content(), []));
