// One process that writes a log of so many entries, or opens it and tells its parent what that took.
import { rmSync } from 'node:fs';
import type { Entry } from '../src/raft/entry.ts';
import { fileStorage } from '../src/storage/index.ts';

/** What opening a log cost. */
export interface Opened {
  readonly tookMs: number;
  /** Of the process beyond what it had before, right after opening and at its highest. */
  readonly residentBytes: number;
  readonly peakBytes: number;
}

const PAYLOAD_BYTES = 128;
const BATCH = 64;
/** As many writes are under way as the storage puts into one commit, and some more. */
const UNDER_WAY = 64;

const [mode, directory = '', backend, count] = process.argv.slice(2);
const entries = Number(count);
const storage = fileStorage({ directory, backend: backend === 'level' ? 'level' : 'files' });
if (mode === 'write') {
  rmSync(directory, { recursive: true, force: true });
  await write();
} else {
  await open();
}
process.disconnect();

async function write(): Promise<void> {
  const instance = await storage.open({ id: 'n1' });
  const log = await instance.openLog('main');
  await log.write({ writeId: { boot: 1, sequence: 1 }, hardState: { term: 1, votedFor: null }, entries: [] });
  let next = 1;
  const writer = async (): Promise<void> => {
    while (next <= entries) {
      const size = Math.min(BATCH, entries - next + 1);
      const batch = Array.from(
        { length: size },
        (_, at): Entry => ({
          kind: 'command',
          index: next + at,
          term: 1,
          payload: new Uint8Array(PAYLOAD_BYTES),
        }),
      );
      next += size;
      await log.write({ writeId: { boot: 1, sequence: next }, entries: batch });
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, writer));
  await instance.close();
}

async function open(): Promise<void> {
  const before = process.memoryUsage.rss();
  const beganAt = performance.now();
  const instance = await storage.open({ id: 'n1' });
  const log = await instance.openLog('main');
  const tookMs = performance.now() - beganAt;
  if (log.recovered.lastIndex !== entries) throw new Error(`the log ends at ${log.recovered.lastIndex}`);
  const residentBytes = process.memoryUsage.rss() - before;
  const peakBytes = process.resourceUsage().maxRSS * 1024 - before;
  process.send?.({ tookMs, residentBytes, peakBytes } satisfies Opened);
  await instance.close();
}
