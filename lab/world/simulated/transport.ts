import type { NodeId } from '../../../src/raft/identity.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import type { LocalEndpoint, Peer, Transport, TransportStats } from '../../../src/transport/contract.ts';
import { TransportFailed } from '../../../src/transport/errors.ts';
import { PeerTable } from '../../../src/transport/peer-table.ts';
import type { SimulatedNetwork } from './network.ts';
import type { SimulatedProcess } from './process.ts';

/**
 * The endpoint of one process in a simulated network. `machine` is what faults call its machine: the id of
 * its replica, or another name where two processes run under one id. It is the address too unless the
 * machine has moved to another.
 */
export function simulatedTransport(
  network: SimulatedNetwork,
  process: SimulatedProcess,
  machine: NodeId,
  address: string = machine,
): Transport {
  return new SimulatedTransport(network, process, machine, address);
}

class SimulatedTransport implements Transport {
  readonly address: string;
  readonly #network: SimulatedNetwork;
  readonly #process: SimulatedProcess;
  readonly #machine: NodeId;
  readonly #peers = new PeerTable();
  #local: LocalEndpoint | null = null;
  #closed = false;
  readonly #counters = {
    messagesSent: 0,
    messagesReceived: 0,
    droppedUnknownPeer: 0,
    bytesSent: 0,
    bytesReceived: 0,
  };

  constructor(network: SimulatedNetwork, process: SimulatedProcess, machine: NodeId, address: string) {
    this.#network = network;
    this.#process = process;
    this.#machine = machine;
    this.address = address;
  }

  /** Takes effect at once. */
  async open(local: LocalEndpoint): Promise<void> {
    if (this.#local !== null || this.#closed) throw new TransportFailed('a transport is opened only once');
    if (this.#network.endpoint(this.address)?.listening === true) {
      throw new TransportFailed(`address ${this.address} is in use: another live process listens there`);
    }
    this.#local = local;
    const transport = this;
    const label = `${this.#process.name} receive`;
    this.#network.listen(this.address, {
      machine: this.#machine,
      get listening() {
        return !transport.#closed && transport.#process.alive;
      },
      arrive: (frame) => this.#process.deliver(label, 'input', () => this.#receive(frame)),
    });
  }

  /** Frames carry their sender's identity themselves; there is no handshake to tell it in. */
  setIdentity(): void {}

  setPeers(peers: readonly Peer[]): void {
    this.#peers.set(peers);
  }

  send(envelope: Envelope): void {
    if (this.#local === null || this.#closed || !this.#process.alive) return;
    const address = this.#peers.find(envelope.to)?.address;
    if (address === undefined) {
      this.#counters.droppedUnknownPeer += 1;
      return;
    }
    const frame = this.#network.codec.encode(envelope);
    this.#counters.messagesSent += 1;
    this.#counters.bytesSent += frame.length;
    this.#network.transmit({ from: this.#machine, address }, frame);
  }

  stats(): TransportStats {
    return {
      ...this.#counters,
      droppedQueueFull: 0,
      droppedDisconnected: 0,
      badFrames: 0,
      refusedHandshakes: 0,
      queuedBytes: 0,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #receive(frame: Uint8Array): void {
    if (this.#closed || this.#local === null) return;
    const envelope = this.#network.codec.decode(frame);
    // Whoever answers at an address need not be whom the sender means.
    if (envelope.to.id !== this.#local.identity.id) return;
    this.#counters.messagesReceived += 1;
    this.#counters.bytesReceived += frame.length;
    this.#local.receive(envelope);
  }
}
