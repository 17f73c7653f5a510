import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/doors/digest.ts';
import { Applier } from '../../src/node/applier.ts';
import { msgpackCodec } from '../../src/node/command-codec.ts';
import { StateMachineFailed } from '../../src/node/errors.ts';
import { PendingRequests } from '../../src/node/pending-requests.ts';
import { AppliedSessions } from '../../src/node/sessions/applied-sessions.ts';
import { SnapshotContent } from '../../src/node/snapshot-content.ts';
import { emptyConfiguration } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/entry.ts';
import type { SnapshotMeta } from '../../src/raft/snapshot.ts';
import { StorageRefused } from '../../src/storage/index.ts';
import { emptyHead } from './sessions/snapshot-bytes.ts';

const codec = msgpackCodec<string>();
const command = (index: number, text: string): Entry => ({
  kind: 'command',
  index,
  term: 1,
  payload: codec.encode(text),
});

function applierOf(apply: (text: string) => unknown) {
  const order: string[] = [];
  const applier = new Applier<string, unknown>(
    { apply },
    codec,
    new PendingRequests(),
    new AppliedSessions(msgpackCodec()),
    (entry, result) => order.push(`${entry.index}=${String(result)}`),
  );
  return { applier, order };
}

describe('applying', () => {
  it('is synchronous as long as the state machine is, and passes over entries that are no commands', () => {
    const { applier, order } = applierOf((text) => text.toUpperCase());
    const outcome = applier.apply([command(1, 'a'), { kind: 'noop', index: 2, term: 1 }, command(3, 'c')]);
    expect(outcome).toBeUndefined();
    expect(order).toEqual(['1=A', '2=undefined', '3=C']);
    expect(applier.appliedIndex).toBe(3);
  });

  it('keeps order when the state machine answers late', async () => {
    const { applier, order } = applierOf((text) =>
      text === 'slow' ? new Promise((resolve) => setImmediate(() => resolve(text))) : text,
    );
    const outcome = applier.apply([command(1, 'slow'), command(2, 'fast')]);
    expect(applier.appliedIndex).toBe(0);
    await outcome;
    expect(order).toEqual(['1=slow', '2=fast']);
    await applier.idle();
  });

  it('stops at an entry the state machine throws on, names it, and has not applied it', () => {
    const { applier } = applierOf((text) => {
      if (text === 'bad') throw new Error('cannot');
      return text;
    });
    expect(() => applier.apply([command(1, 'good'), command(2, 'bad'), command(3, 'never')])).toThrow(
      /failed on entry 2 \(term 1\): cannot/,
    );
    expect(applier.appliedIndex).toBe(1);
  });

  it('rejects when a promise of the state machine does', async () => {
    const { applier } = applierOf(() => Promise.reject(new Error('later')));
    await expect(applier.apply([command(1, 'x')])).rejects.toBeInstanceOf(StateMachineFailed);
    await applier.idle();
    expect(applier.appliedIndex).toBe(0);
  });

  it('refuses a gap, and an entry twice', () => {
    const { applier } = applierOf((text) => text);
    applier.apply([command(1, 'a')]);
    expect(() => applier.apply([command(1, 'a')])).toThrow(/entry 1 was to be applied after entry 1/);
    expect(() => applier.apply([command(3, 'c')])).toThrow(/entry 3 was to be applied after entry 1/);
  });

  it('stops after the entry under way, and waits for it no longer', async () => {
    let settle: (value: string) => void = () => {};
    const { applier, order } = applierOf(() => new Promise<string>((resolve) => (settle = resolve)));
    const outcome = applier.apply([command(1, 'a'), command(2, 'b')]);
    applier.stop();
    await applier.idle();
    expect(order).toEqual([]);
    settle('late');
    await outcome;
    expect(order).toEqual(['1=late']);
  });

  it('counts bytes that are no command as a failure of the state machine', () => {
    const { applier } = applierOf((text) => text);
    const garbage: Entry = { kind: 'command', index: 1, term: 1, payload: new Uint8Array([0xdb, 0x00]) };
    expect(() => applier.apply([garbage])).toThrow(StateMachineFailed);
  });
});

describe('restoring', () => {
  const meta: SnapshotMeta = {
    index: 7,
    term: 2,
    configuration: emptyConfiguration,
    size: emptyHead.length + 5,
    digest: sha256Of(Buffer.concat([emptyHead, Buffer.from('state')])),
  };
  const stored = (content: string) =>
    new SnapshotContent(
      {
        read: async (_, { offset, length }) =>
          Buffer.concat([emptyHead, Buffer.from(content)]).subarray(offset, offset + length),
      },
      meta,
      2,
    );

  function restoring(restore?: (chunks: AsyncIterable<Uint8Array>) => void | Promise<void>) {
    const machine = { apply: (text: string) => text, ...(restore === undefined ? {} : { restore }) };
    return new Applier<string, unknown>(
      machine,
      codec,
      new PendingRequests(),
      new AppliedSessions(msgpackCodec()),
      () => {},
    );
  }

  it('gives the state machine the whole content, and goes on after its index', async () => {
    let text = '';
    const applier = restoring(async (chunks) => {
      for await (const chunk of chunks) text += Buffer.from(chunk).toString();
    });
    const outcome = applier.restore(meta, stored('state'));
    expect(applier.midCommand).toBe(true);
    await outcome;
    expect([text, applier.appliedIndex, applier.midCommand]).toEqual(['state', 7, false]);
    applier.apply([command(8, 'x')]);
    expect(applier.appliedIndex).toBe(8);
  });

  it('is a failure of the state machine when it throws, or has no way to', async () => {
    const throwing = restoring(() => Promise.reject(new Error('cannot')));
    await expect(throwing.restore(meta, stored('state'))).rejects.toBeInstanceOf(StateMachineFailed);
    await expect(restoring().restore(meta, stored('state'))).rejects.toThrow(/has no restore\(\)/);
    expect(throwing.appliedIndex).toBe(0);
  });

  it('is a failure of the storage when the content is damaged, whatever the state machine made of it', async () => {
    const careless = restoring(() => {});
    await expect(careless.restore(meta, stored('stale'))).rejects.toBeInstanceOf(StorageRefused);
    const wrapping = restoring(async (chunks) => {
      try {
        for await (const _ of chunks);
      } catch (cause) {
        throw new Error('could not read it', { cause });
      }
    });
    await expect(wrapping.restore(meta, stored('stale'))).rejects.toBeInstanceOf(StorageRefused);
    expect([careless.appliedIndex, wrapping.appliedIndex]).toEqual([0, 0]);
  });

  it('takes damage to the head for damage, not for another version', async () => {
    const bytes = Buffer.concat([emptyHead, Buffer.from('state')]);
    bytes.writeUInt8(9, 4);
    const read = async (_: unknown, { offset, length }: { offset: number; length: number }) =>
      bytes.subarray(offset, offset + length);
    const damaged = restoring(async () => {}).restore(meta, new SnapshotContent({ read }, meta, 7));
    await expect(damaged).rejects.toMatchObject({ reason: 'damaged' });
    const whole = { ...meta, digest: sha256Of(bytes) };
    const other = restoring(async () => {}).restore(whole, new SnapshotContent({ read }, whole, 7));
    await expect(other).rejects.toMatchObject({ reason: 'other-format' });
  });

  it('that failed part way leaves the state that of no entry until one succeeds', async () => {
    const applier = restoring(async (chunks) => {
      for await (const _ of chunks);
    });
    const failing = new SnapshotContent(
      {
        read: (_, { offset, length }) =>
          offset < emptyHead.length
            ? Promise.resolve(Buffer.concat([emptyHead, Buffer.from('st')]).subarray(offset, offset + length))
            : Promise.reject(gone),
      },
      meta,
      2,
    );
    const gone = new Error('the disk is gone');
    expect([applier.isTorn, applier.midCommand]).toEqual([false, false]);
    await expect(applier.restore(meta, failing)).rejects.toBe(gone);
    expect([applier.isTorn, applier.midCommand, applier.appliedIndex]).toEqual([true, true, 0]);
    await applier.restore(meta, stored('state'));
    expect([applier.isTorn, applier.midCommand, applier.appliedIndex]).toEqual([false, false, 7]);
  });

  it('that never settles does not keep anybody waiting once it is stopped', async () => {
    const applier = restoring(() => new Promise(() => {}));
    const outcome = applier.restore(meta, stored('state'));
    applier.stop();
    await outcome;
    await applier.idle();
    expect(applier.appliedIndex).toBe(0);
  });
});

function sha256Of(bytes: Uint8Array): string {
  const digest = sha256();
  digest.update(bytes);
  return digest.finish();
}
