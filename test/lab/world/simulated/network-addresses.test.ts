import { describe, expect, it } from 'vitest';
import { SimulatedNetwork } from '../../../../lab/world/simulated/network.ts';
import { SimulatedProcess } from '../../../../lab/world/simulated/process.ts';
import { Simulation } from '../../../../lab/world/simulated/simulation.ts';
import { simulatedTransport } from '../../../../lab/world/simulated/transport.ts';
import type { Envelope } from '../../../../src/raft/message.ts';
import { addressingConformance, type ConformanceFixture } from '../../../../src/transport/conformance.ts';
import type { Transport } from '../../../../src/transport/contract.ts';

function newNetwork(): { readonly simulation: Simulation; readonly network: SimulatedNetwork } {
  const simulation = new Simulation({ seed: 1 });
  const network = new SimulatedNetwork({
    simulation,
    random: simulation.random.stream('network'),
    quality: { latency: { fromUs: 100, toUs: 200 }, lossPerMille: 0, duplicatePerMille: 0 },
  });
  return { simulation, network };
}

addressingConformance({ describe, it }, 'simulated', (): ConformanceFixture => {
  const { simulation, network } = newNetwork();
  let made = 0;
  return {
    endpoint(at) {
      made += 1;
      const machine = `machine ${made}`;
      return simulatedTransport(network, new SimulatedProcess(simulation, machine), machine, at);
    },
    settle: async () => {
      await simulation.run();
    },
  };
});

const INCARNATION = '00000000000000aa';

describe('a machine of a simulated network', () => {
  const world = () => {
    const { simulation, network } = newNetwork();
    const arrived: string[] = [];
    const start = async (id: string, machine: string, address?: string): Promise<Transport> => {
      const program = new SimulatedProcess(simulation, machine);
      const transport = simulatedTransport(network, program, machine, address);
      await transport.open({
        identity: { id, incarnation: INCARNATION, boot: 1, clusterId: null },
        receive: () => arrived.push(transport.address),
        observe: () => expect.unreachable(),
      });
      return transport;
    };
    const send = async (from: Transport, id: string, address: string): Promise<string[]> => {
      from.setPeers([{ id, incarnation: null, address }]);
      from.send(query(id));
      await simulation.run();
      return arrived.splice(0);
    };
    return { network, start, send };
  };

  it('has its name for an address unless it is given another', async () => {
    const { start, send } = world();
    const a = await start('a', 'a');
    const b = await start('b', 'b', '10.0.0.2:7001');
    expect([a.address, b.address]).toEqual(['a', '10.0.0.2:7001']);
    expect(await send(a, 'b', '10.0.0.2:7001')).toEqual(['10.0.0.2:7001']);
    expect(await send(a, 'b', 'b')).toEqual([]);
    expect(await send(b, 'a', 'a')).toEqual(['a']);
  });

  it('is cut off by its name, whatever its address, both ways', async () => {
    const { network, start, send } = world();
    const a = await start('a', 'a');
    const b = await start('b', 'b', 'elsewhere');
    const healTo = network.cut([{ from: 'a', to: 'b' }]);
    expect(await send(a, 'b', 'elsewhere')).toEqual([]);
    expect(await send(b, 'a', 'a')).toEqual(['a']);
    healTo();
    network.cut([{ from: 'b', to: 'a' }]);
    expect(await send(a, 'b', 'elsewhere')).toEqual(['elsewhere']);
    expect(await send(b, 'a', 'a')).toEqual([]);
  });

  it('may run a second process under the id of another, with links of its own', async () => {
    const { network, start, send } = world();
    const a = await start('a', 'a');
    await start('b', 'b');
    const double = await start('b', 'double of b');
    network.cut([
      { from: 'a', to: 'b' },
      { from: 'b', to: 'a' },
    ]);
    expect(await send(a, 'b', 'b')).toEqual([]);
    expect(await send(a, 'b', 'double of b')).toEqual(['double of b']);
    expect(await send(double, 'a', 'a')).toEqual(['a']);
  });
});

const query = (to: string): Envelope => ({
  clusterId: null,
  group: 'default',
  from: { id: 'someone', incarnation: INCARNATION, boot: 1 },
  to: { id: to, incarnation: null },
  message: { kind: 'BootstrapQuery', members: [] },
});
