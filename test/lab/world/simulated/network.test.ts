import { describe, expect, it } from 'vitest';
import { type LinkQuality, SimulatedNetwork } from '../../../../lab/world/simulated/network.ts';
import { SimulatedProcess } from '../../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../../lab/world/simulated/simulation.ts';
import { simulatedTransport } from '../../../../lab/world/simulated/transport.ts';
import type { Envelope } from '../../../../src/raft/message.ts';
import type { Transport } from '../../../../src/transport/contract.ts';

const IDS = ['n1', 'n2', 'n3'];
const QUALITY: LinkQuality = { latency: { fromUs: 100, toUs: 200 }, lossPerMille: 0, duplicatePerMille: 0 };

interface Station {
  readonly id: string;
  readonly program: SimulatedProcess;
  readonly transport: Transport;
}

class Cluster {
  readonly simulation: Simulation;
  readonly network: SimulatedNetwork;
  /** `receiver: round @ moment`. */
  readonly arrived: {
    readonly at: string;
    readonly from: string;
    readonly round: number;
    readonly us: number;
  }[] = [];

  constructor(quality: Partial<LinkQuality> = {}, seed = 1) {
    this.simulation = new Simulation({ seed });
    this.network = new SimulatedNetwork({
      simulation: this.simulation,
      random: this.simulation.random.stream('network'),
      quality: { ...QUALITY, ...quality },
    });
  }

  async start(id: string, boot = 1): Promise<Station> {
    const program = new SimulatedProcess(this.simulation, `${id}#${boot}`);
    const transport = simulatedTransport(this.network, program, id);
    await transport.open({
      identity: { id, incarnation: INCARNATION, boot, clusterId: null },
      receive: ({ from, message }) => {
        const round = message.kind === 'Heartbeat' ? message.round : -1;
        this.arrived.push({ at: id, from: `${from.id}#${from.boot}`, round, us: this.simulation.nowUs });
      },
      observe: () => expect.unreachable(),
    });
    transport.setPeers(IDS.map((peer) => ({ id: peer, incarnation: null, address: peer })));
    return { id, program, transport };
  }

  rounds(at: string): number[] {
    return this.arrived.filter((one) => one.at === at).map((one) => one.round);
  }
}

const INCARNATION = '00000000000000aa';

function heartbeat(from: string, to: string, round: number, boot = 1): Envelope {
  return {
    clusterId: null,
    group: 'default',
    from: { id: from, incarnation: INCARNATION, boot },
    to: { id: to, incarnation: null },
    message: { kind: 'Heartbeat', term: 1, round, leaderCommit: 0, freshness: null },
  };
}

describe('a simulated network', () => {
  it('brings each message once, within its latency', async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start('n1'), await cluster.start('n2')];
    for (let round = 1; round <= 50; round++) a.transport.send(heartbeat('n1', 'n2', round));
    b.transport.send(heartbeat('n2', 'n1', 7));
    await cluster.simulation.run();
    expect(cluster.rounds('n2').sort((x, y) => x - y)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(cluster.rounds('n1')).toEqual([7]);
    for (const { us } of cluster.arrived) {
      expect(us).toBeGreaterThanOrEqual(100);
      expect(us).toBeLessThanOrEqual(200);
    }
    expect(a.transport.stats()).toMatchObject({ messagesSent: 50, messagesReceived: 1 });
    expect(b.transport.stats().bytesReceived).toBe(a.transport.stats().bytesSent);
    expect(cluster.network.stats()).toMatchObject({ sent: 51, delivered: 51, lost: 0, cut: 0 });
  });

  it('reorders when latencies differ, and keeps the order when they do not', async () => {
    const sorted = async (quality: Partial<LinkQuality>): Promise<boolean> => {
      const cluster = new Cluster(quality);
      const a = await cluster.start('n1');
      await cluster.start('n2');
      for (let round = 1; round <= 30; round++) a.transport.send(heartbeat('n1', 'n2', round));
      await cluster.simulation.run();
      const rounds = cluster.rounds('n2');
      expect(rounds).toHaveLength(30);
      return rounds.every((round, i) => i === 0 || round > (rounds[i - 1] ?? 0));
    };
    expect(await sorted({})).toBe(false);
    expect(await sorted({ latency: { fromUs: 100, toUs: 100 } })).toBe(true);
  });

  it('copies: what changes in the sender afterwards never reaches the receiver', async () => {
    const cluster = new Cluster();
    const a = await cluster.start('n1');
    const b = cluster.network.endpoint('n2');
    expect(b).toBeUndefined();
    const payload = Uint8Array.of(1, 2, 3);
    const received: Envelope[] = [];
    const program = new SimulatedProcess(cluster.simulation, 'n2');
    const transport = simulatedTransport(cluster.network, program, 'n2');
    await transport.open({
      identity: { id: 'n2', incarnation: INCARNATION, boot: 1, clusterId: null },
      receive: (envelope) => received.push(envelope),
      observe: () => {},
    });
    const entries = [{ kind: 'command' as const, index: 1, term: 1, payload }];
    a.transport.send({
      ...heartbeat('n1', 'n2', 1),
      message: { kind: 'AppendEntries', term: 1, prevLogIndex: 0, prevLogTerm: 0, entries, leaderCommit: 0 },
    });
    payload[0] = 99;
    await cluster.simulation.run();
    expect(received[0]?.message).toMatchObject({ entries: [{ payload: Uint8Array.of(1, 2, 3) }] });
  });

  it('loses and duplicates about as often as told', async () => {
    const cluster = new Cluster({ lossPerMille: 250, duplicatePerMille: 100 });
    const a = await cluster.start('n1');
    await cluster.start('n2');
    for (let round = 1; round <= 2000; round++) a.transport.send(heartbeat('n1', 'n2', round));
    await cluster.simulation.run();
    const { lost, duplicated, delivered } = cluster.network.stats();
    expect(lost).toBeGreaterThan(400);
    expect(lost).toBeLessThan(600);
    expect(duplicated).toBeGreaterThan(100);
    expect(duplicated).toBeLessThan(220);
    expect(delivered).toBe(2000 - lost + duplicated);
    expect(cluster.rounds('n2')).toHaveLength(delivered);
    expect(new Set(cluster.rounds('n2')).size).toBe(2000 - lost);
  });

  it('cuts one way only, what is under way included, until healed', async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start('n1'), await cluster.start('n2')];
    a.transport.send(heartbeat('n1', 'n2', 1));
    const heal = cluster.network.cut([{ from: 'n1', to: 'n2' }]);
    expect(cluster.network.isCut({ from: 'n1', to: 'n2' })).toBe(true);
    expect(cluster.network.isCut({ from: 'n2', to: 'n1' })).toBe(false);
    a.transport.send(heartbeat('n1', 'n2', 2));
    b.transport.send(heartbeat('n2', 'n1', 3));
    await cluster.simulation.run();
    expect(cluster.rounds('n2')).toEqual([]);
    expect(cluster.rounds('n1')).toEqual([3]);
    expect(cluster.network.stats().cut).toBe(2);
    heal();
    a.transport.send(heartbeat('n1', 'n2', 4));
    await cluster.simulation.run();
    expect(cluster.rounds('n2')).toEqual([4]);
  });

  it('keeps a link cut until the last of overlapping cuts is healed, each counted once', async () => {
    const { network } = new Cluster();
    const link = { from: 'n1', to: 'n2' };
    const healFirst = network.cut([link, { from: 'n2', to: 'n1' }]);
    const healSecond = network.cut([link]);
    healFirst();
    healFirst();
    expect(network.isCut(link)).toBe(true);
    expect(network.isCut({ from: 'n2', to: 'n1' })).toBe(false);
    healSecond();
    expect(network.isCut(link)).toBe(false);
  });

  it('changes single links, the latest change counting, and restores them in any order', async () => {
    const cluster = new Cluster({ latency: { fromUs: 100, toUs: 100 } });
    const a = await cluster.start('n1');
    await cluster.start('n2');
    await cluster.start('n3');
    const tookUs = async (to: string): Promise<number | null> => {
      const before = cluster.simulation.nowUs;
      const count = cluster.arrived.length;
      a.transport.send(heartbeat('n1', to, 1));
      await cluster.simulation.run();
      return cluster.arrived.length > count ? cluster.simulation.nowUs - before : null;
    };
    const link = { from: 'n1', to: 'n2' };
    const slow = cluster.network.override([link], { latency: { fromUs: 500, toUs: 500 } });
    const deaf = cluster.network.override([link], { lossPerMille: 1000 });
    const slower = cluster.network.override([link], { latency: { fromUs: 900, toUs: 900 } });
    expect(await tookUs('n2')).toBeNull();
    expect(await tookUs('n3')).toBe(100);
    deaf();
    expect(await tookUs('n2')).toBe(900);
    slow();
    expect(await tookUs('n2')).toBe(900);
    slower();
    slower();
    expect(await tookUs('n2')).toBe(100);
  });

  it('lets messages to a dead process vanish, and those of a dead sender arrive', async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start('n1'), await cluster.start('n2')];
    a.transport.send(heartbeat('n1', 'n2', 1));
    b.transport.send(heartbeat('n2', 'n1', 2));
    b.program.kill();
    b.transport.send(heartbeat('n2', 'n1', 3));
    await cluster.simulation.run();
    expect(cluster.rounds('n2')).toEqual([]);
    expect(cluster.rounds('n1')).toEqual([2]);
    expect(cluster.network.stats().unanswered).toBe(1);
  });

  it('brings messages to the process that listens when they arrive, a later boot too', async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start('n1'), await cluster.start('n2')];
    a.transport.send(heartbeat('n1', 'n2', 1));
    b.program.kill();
    await cluster.start('n2', 2);
    await cluster.simulation.run();
    expect(cluster.rounds('n2')).toEqual([1]);
  });

  it('holds messages for a paused process until it is resumed, in order of arrival', async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start('n1'), await cluster.start('n2')];
    b.program.pause();
    for (let round = 1; round <= 3; round++) {
      a.transport.send(heartbeat('n1', 'n2', round));
      await cluster.simulation.run();
    }
    expect(cluster.arrived).toEqual([]);
    b.program.resume();
    await cluster.simulation.run();
    expect(cluster.rounds('n2')).toEqual([1, 2, 3]);
  });

  it('drops messages to unknown peers, counted, and all of them once closed', async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start('n1'), await cluster.start('n2')];
    a.transport.send(heartbeat('n1', 'n9', 1));
    expect(a.transport.stats()).toMatchObject({ messagesSent: 0, droppedUnknownPeer: 1 });
    a.transport.send(heartbeat('n1', 'n2', 2));
    await b.transport.close();
    await b.transport.close();
    b.transport.send(heartbeat('n2', 'n1', 3));
    await cluster.simulation.run();
    expect(cluster.arrived).toEqual([]);
  });

  it('lets an address be taken over only when nobody alive listens there', async () => {
    const cluster = new Cluster();
    const first = await cluster.start('n1');
    await expect(cluster.start('n1', 2)).rejects.toThrow(/address n1 is in use/);
    await first.transport.close();
    const second = await cluster.start('n1', 3);
    await expect(
      second.transport.open({
        identity: { id: 'n1', incarnation: INCARNATION, boot: 3, clusterId: null },
        receive: () => {},
        observe: () => {},
      }),
    ).rejects.toThrow(/only once/);
    second.program.kill();
    await cluster.start('n1', 4);
  });

  it('fails the run when bytes do not decode, since this network never damages any', async () => {
    const simulation = new Simulation({ seed: 1 });
    const network = new SimulatedNetwork({
      simulation,
      random: simulation.random.stream('network'),
      quality: QUALITY,
      codec: {
        encode: () => Uint8Array.of(1),
        decode: () => {
          throw new Error('no envelope');
        },
      },
    });
    const program = new SimulatedProcess(simulation, 'n1');
    const transport = simulatedTransport(network, program, 'n1');
    await transport.open({
      identity: { id: 'n1', incarnation: INCARNATION, boot: 1, clusterId: null },
      receive: () => {},
      observe: () => {},
    });
    transport.setPeers([{ id: 'n1', incarnation: null, address: 'n1' }]);
    transport.send(heartbeat('n1', 'n1', 1));
    await expect(simulation.run()).rejects.toThrow(/no envelope/);
  });

  it('gives one digest for one seed, and others for others', async () => {
    const digest = async (seed: number): Promise<string> => {
      const cluster = new Cluster({ lossPerMille: 100, duplicatePerMille: 100 }, seed);
      const stations = await Promise.all(IDS.map((id) => cluster.start(id)));
      for (let round = 1; round <= 50; round++) {
        for (const { id, transport } of stations) {
          for (const to of IDS) if (to !== id) transport.send(heartbeat(id, to, round));
        }
      }
      await cluster.simulation.run();
      return cluster.simulation.digest();
    };
    expect(await digest(1)).toBe(await digest(1));
    expect(await digest(1)).not.toBe(await digest(2));
  });

  it('refuses probabilities and latencies out of bounds', () => {
    const { network } = new Cluster();
    for (const lossPerMille of [-1, 1001, 0.5]) {
      expect(() => new Cluster({ lossPerMille })).toThrow(/whole per mille, 0 to 1000/);
      expect(() => network.override([{ from: 'n1', to: 'n2' }], { lossPerMille })).toThrow(RangeError);
    }
    expect(() => new Cluster({ latency: { fromUs: 5, toUs: 1 } })).toThrow(/a link's latency/);
  });
});
