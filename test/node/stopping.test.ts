import { afterEach, describe, expect, it } from 'vitest';
import { StorageFailed } from '../../src/storage/errors.ts';
import { memoryStorage, type Storage } from '../../src/storage/index.ts';
import type { Transport } from '../../src/transport/index.ts';
import { changedInstance } from './changed-instance.ts';
import { eventually, Nodes, next, truth } from './nodes.ts';

const nodes = new Nodes();
afterEach(() => nodes.close());

const bootstrap = { members: [{ id: 'a', address: 'a' }] };
const turn = () => new Promise((resolve) => setImmediate(resolve));

function gate() {
  let open: () => void = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

/** Its second opening waits; `fail` lets the next write of its log fail. */
function storageOf(reopening: Promise<void>) {
  const inner = memoryStorage();
  const seen = { asked: 0, opened: 0, closed: 0, fails: false };
  const storage: Storage = {
    async open(request) {
      seen.asked += 1;
      if (seen.asked > 1) await reopening;
      const instance = await inner.open(request);
      seen.opened += 1;
      return changedInstance(instance, {
        closes: () => {
          seen.closed += 1;
        },
        log: (log) => ({
          write: (write) => {
            if (!seen.fails) return log.write(write);
            seen.fails = false;
            return Promise.reject(new StorageFailed('planted'));
          },
        }),
      });
    },
  };
  return { inner, storage, seen };
}

/** A transport that closes only when told to. */
function slowToClose(transport: Transport, closing: Promise<void>): Transport {
  return {
    get address() {
      return transport.address;
    },
    open: (local) => transport.open(local),
    setIdentity: (identity) => transport.setIdentity(identity),
    setPeers: (peers) => transport.setPeers(peers),
    send: (envelope) => transport.send(envelope),
    stats: () => transport.stats(),
    close: () => closing.then(() => transport.close()),
  };
}

describe('a node that is closed while its storage is reopened', () => {
  it('leaves no storage open, whichever of transport and storage is done first', async () => {
    for (const isTransportFirst of [true, false]) {
      const [reopening, closing] = [gate(), gate()];
      const { inner, storage, seen } = storageOf(reopening.passed);
      const transport = slowToClose(nodes.network.transport('a'), closing.passed);
      const node = await nodes.open({ id: 'a', bootstrap, storage, transport });
      await node.waitForLeader();
      const told: string[] = [];
      node.on('storage-reopened', () => told.push('reopened'));
      node.on('stopped', () => told.push('stopped'));
      const failed = next(node, 'storage-failed');
      seen.fails = true;
      node.propose(1).catch(() => {});
      await failed;
      await eventually(() => truth(seen.asked === 2));
      const closed = node.close();
      const [first, second] = isTransportFirst ? [closing, reopening] : [reopening, closing];
      first.open();
      for (let turns = 0; turns < 10; turns += 1) await turn();
      expect(told).toEqual([]);
      second.open();
      await closed;
      expect([seen.opened, seen.closed, told]).toEqual([2, 2, ['stopped']]);
      await (await inner.open({ id: 'a' })).close();
    }
  });
});
