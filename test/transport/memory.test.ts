import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/doors/clock.ts';
import type { Envelope } from '../../src/raft/message.ts';
import type { Transport } from '../../src/transport/contract.ts';
import { type MemoryNetwork, memoryNetwork } from '../../src/transport/memory.ts';

async function openPair(network: MemoryNetwork): Promise<{ a: Transport; received: Envelope[] }> {
  const received: Envelope[] = [];
  const open = async (id: string): Promise<Transport> => {
    const transport = network.transport(id);
    const identity = { id, incarnation: '00000000000000aa', boot: 1, clusterId: null };
    await transport.open({ identity, receive: (envelope) => received.push(envelope), observe: () => {} });
    transport.setPeers([
      { id: 'a', incarnation: null, address: 'a' },
      { id: 'b', incarnation: null, address: 'b' },
    ]);
    return transport;
  };
  const a = await open('a');
  await open('b');
  return { a, received };
}

const query = (from: string, to: string): Envelope => ({
  clusterId: null,
  group: 'default',
  from: { id: from, incarnation: '00000000000000aa', boot: 1 },
  to: { id: to, incarnation: null },
  message: { kind: 'BootstrapQuery', members: [] },
});

const microtasks = (): Promise<void> => new Promise((resolve) => queueMicrotask(resolve));

describe('the memory network', () => {
  it('delivers in a microtask when it has no clock', async () => {
    const { a, received } = await openPair(memoryNetwork());
    a.send(query('a', 'b'));
    expect(received.length).toBe(0);
    await microtasks();
    expect(received.length).toBe(1);
  });

  it('delivers by its clock, after its latency', async () => {
    const timers: { delayMs: number; callback: () => void }[] = [];
    const clock: Clock = {
      now: () => 0,
      wall: () => 0,
      setTimer(delayMs, callback) {
        timers.push({ delayMs, callback });
        return { timer: timers.length };
      },
      clearTimer: () => {},
      endOfTurn: () => {},
    };
    const { a, received } = await openPair(memoryNetwork({ clock, latencyMs: 7 }));
    a.send(query('a', 'b'));
    await microtasks();
    expect(received.length).toBe(0);
    expect(timers.map(({ delayMs }) => delayMs)).toEqual([7]);
    expect(a.stats().queuedBytes).toBeGreaterThan(0);
    timers[0]?.callback();
    expect(received.length).toBe(1);
    expect(a.stats().queuedBytes).toBe(0);
  });

  it('drops what is sent over a cut link, that way only, until it heals', async () => {
    const network = memoryNetwork();
    const { a, received } = await openPair(network);
    network.cut({ from: 'a', to: 'b' });
    a.send(query('a', 'b'));
    a.send(query('a', 'a'));
    await microtasks();
    expect(received.map(({ to }) => to.id)).toEqual(['a']);
    expect(a.stats()).toMatchObject({ droppedDisconnected: 1, messagesSent: 1 });
    network.heal({ from: 'a', to: 'b' });
    a.send(query('a', 'b'));
    await microtasks();
    expect(received.map(({ to }) => to.id)).toEqual(['a', 'b']);
  });

  it('loses what is under way to an endpoint that closes', async () => {
    const network = memoryNetwork();
    const { a, received } = await openPair(network);
    a.send(query('a', 'a'));
    await a.close();
    await microtasks();
    expect(received).toEqual([]);
  });
});
