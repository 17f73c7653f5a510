import type { NodeId } from '../../../src/raft/identity.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import type { LocalEndpoint, Peer, Transport, TransportStats } from '../../../src/transport/contract.ts';
import { TransportFailed } from '../../../src/transport/errors.ts';
import type { SimulatedNetwork } from './network.ts';
import type { SimulatedProcess } from './process.ts';

/** The endpoint of one process in a simulated network, at the address that is its replica's id. */
export function simulatedTransport(
  network: SimulatedNetwork,
  process: SimulatedProcess,
  id: NodeId,
): Transport {
  return new SimulatedTransport(network, process, id);
}

class SimulatedTransport implements Transport {
  readonly #network: SimulatedNetwork;
  readonly #process: SimulatedProcess;
  readonly #id: NodeId;
  #local: LocalEndpoint | null = null;
  #peers = new Map<NodeId, string>();
  #closed = false;
  readonly #counters = {
    messagesSent: 0,
    messagesReceived: 0,
    droppedUnknownPeer: 0,
    bytesSent: 0,
    bytesReceived: 0,
  };

  constructor(network: SimulatedNetwork, process: SimulatedProcess, id: NodeId) {
    this.#network = network;
    this.#process = process;
    this.#id = id;
  }

  /** Takes effect at once. */
  async open(local: LocalEndpoint): Promise<void> {
    if (this.#local !== null || this.#closed) throw new TransportFailed('a transport is opened only once');
    if (this.#network.endpoint(this.#id)?.listening === true) {
      throw new TransportFailed(`address ${this.#id} is in use: another live process listens there`);
    }
    this.#local = local;
    const transport = this;
    const label = `${this.#process.name} receive`;
    this.#network.listen(this.#id, {
      get listening() {
        return !transport.#closed && transport.#process.alive;
      },
      arrive: (frame) => this.#process.deliver(label, 'input', () => this.#receive(frame)),
    });
  }

  /** Frames carry their sender's identity themselves; there is no handshake to tell it in. */
  setIdentity(): void {}

  setPeers(peers: readonly Peer[]): void {
    this.#peers = new Map(peers.map((peer) => [peer.id, peer.address]));
  }

  send(envelope: Envelope): void {
    if (this.#local === null || this.#closed || !this.#process.alive) return;
    const address = this.#peers.get(envelope.to.id);
    if (address === undefined) {
      this.#counters.droppedUnknownPeer += 1;
      return;
    }
    const frame = this.#network.codec.encode(envelope);
    this.#counters.messagesSent += 1;
    this.#counters.bytesSent += frame.length;
    this.#network.transmit({ from: this.#id, to: address }, frame);
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
    if (this.#closed) return;
    this.#counters.messagesReceived += 1;
    this.#counters.bytesReceived += frame.length;
    this.#local?.receive(this.#network.codec.decode(frame));
  }
}
