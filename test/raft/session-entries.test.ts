import { describe, expect, it } from 'vitest';
import { entryBytes } from '../../src/raft/entry.ts';
import { uncommittedBytes } from '../../src/raft/proposals.ts';
import { Single } from './single.ts';

const payload = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(1);

describe('an entry of a session', () => {
  it('is charged like a command of as many bytes', () => {
    const place = { index: 1, term: 1 };
    for (const bytes of [0, 1, 1_000]) {
      const session = entryBytes({ kind: 'session', ...place, payload: payload(bytes) });
      expect(session).toBe(entryBytes({ kind: 'command', ...place, payload: payload(bytes) }));
    }
  });

  it('is appended as it was proposed, among commands, and counts until it is committed', () => {
    const n1 = new Single().lead();
    const before = uncommittedBytes(n1.state);
    const result = n1.core.propose(n1.now, [
      { kind: 'session', payload: payload(5) },
      { kind: 'command', payload: payload(6) },
      { kind: 'session', payload: payload(7) },
    ]);
    expect(result).toMatchObject({ accepted: true, from: 3 });
    const entries = n1.core.cachedEntries(3, 5) ?? [];
    expect(entries.map((entry) => [entry.kind, 'payload' in entry ? entry.payload.length : null])).toEqual([
      ['session', 5],
      ['command', 6],
      ['session', 7],
    ]);
    const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    expect(uncommittedBytes(n1.state) - before).toBe(bytes);
    n1.drain();
    for (const peer of ['n2', 'n3']) {
      n1.hear(peer, {
        kind: 'AppendEntriesResponse',
        accepted: true,
        term: 2,
        matchIndex: 5,
        verifiedIndex: 5,
      });
    }
    expect([n1.state.commitIndex, uncommittedBytes(n1.state)]).toEqual([5, 0]);
  });
});
