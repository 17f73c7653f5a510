import { describe, expect, it } from 'vitest';
import { eventually, KvCluster } from './kv-cluster.ts';
import { oneClusterATest } from './one-cluster.ts';

const ROUNDS = 3;
const READS = 12;
/** How long the old leader is left alone with what it believed. */
const ALONE_MS = 1_500;

const startCluster = oneClusterATest();

/**
 * ZOO L3, L4: a leader that stood still while another was elected must not answer with what was. No word of the
 * election reaches it, not even into the sockets that it finds when it wakes: it has to know by itself.
 */
describe.each([
  ['a round of heartbeats', []],
  ['a lease', ['--clock-drift', '0.1']],
])('reads proven by %s', (_how, flags) => {
  it('are never stale after SIGSTOP of the leader across an election, and SIGCONT', {
    timeout: 120_000,
  }, async () => {
    const running = await startCluster((directory) => KvCluster.startOnLines(directory, flags));
    let answered = 0;
    for (let round = 1; round <= ROUNDS; round += 1) {
      const old = await running.leader();
      await written(running, [old], `old-${round}`);
      // The lease is fresh: it answers at once.
      expect(await read(running, old)).toBe(`old-${round}`);
      running.pause(old);
      running.cutLinesTo(old);
      const others = running.members.map(({ id }) => id).filter((id) => id !== old);
      await written(running, others, `new-${round}`);
      running.cutLinesTo(...others);
      // Those wait in its socket when it wakes, these come later.
      const reads = Array.from({ length: READS }, () => read(running, old));
      running.resume(old);
      reads.push(...Array.from({ length: READS }, () => read(running, old)));
      const untilAnswered = Promise.all(reads);
      const alone = await Promise.race([untilAnswered, delay(ALONE_MS)]);
      expect(alone, 'a replica that reaches nobody granted a read').toBeUndefined();
      running.mendLines();
      // They were waiting all the time, and are answered by what is current now.
      const values = (await untilAnswered).filter((value) => value !== null);
      expect(new Set(values)).toEqual(new Set([`new-${round}`]));
      answered += values.length;
    }
    // A replica that never answers would pass what is above.
    expect(answered).toBe(ROUNDS * 2 * READS);
  });
});

const delay = (ms: number): Promise<undefined> =>
  new Promise((resolve) => setTimeout(() => resolve(undefined), ms));

/** By one of these, as soon as one of them leads. */
function written(running: KvCluster, ids: readonly string[], value: string): Promise<true> {
  return eventually(`${value} is written`, 30_000, async () => {
    for (const { id, http } of running.members) {
      if (!ids.includes(id)) continue;
      const response = await fetch(`http://${http}/keys/x`, {
        method: 'PUT',
        body: value,
        redirect: 'manual',
        signal: AbortSignal.timeout(5_000),
      }).catch(() => null);
      await response?.arrayBuffer();
      if (response?.ok) return true;
    }
    return null;
  });
}

/** null when it was not answered. */
async function read(running: KvCluster, id: string): Promise<string | null> {
  const http = running.members.find((member) => member.id === id)?.http;
  const response = await fetch(`http://${http}/keys/x`, { signal: AbortSignal.timeout(10_000) }).catch(
    () => null,
  );
  const text = await response?.text().catch(() => null);
  return response?.ok === true ? (text ?? null) : null;
}
