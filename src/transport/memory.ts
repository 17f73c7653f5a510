import type { Clock } from '../doors/clock.ts';
import type { Envelope } from '../raft/message.ts';
import { shown, unknownOptions } from '../raft/option-mistakes.ts';
import type { LocalEndpoint, Peer, Transport, TransportIdentity, TransportStats } from './contract.ts';
import { newCounters } from './counters.ts';
import { MalformedFrame, TransportFailed } from './errors.ts';
import { PeerTable } from './peer-table.ts';
import { decodeEnvelope, encodeEnvelope } from './wire.ts';

export interface MemoryNetworkOptions {
  /** With a clock, messages arrive `latencyMs` later by it; without one, in a microtask. */
  readonly clock?: Clock;
  /** Milliseconds; default 0. */
  readonly latencyMs?: number;
}

/** One direction between two addresses. */
export interface MemoryLink {
  readonly from: string;
  readonly to: string;
}

/** Endpoints of one process that reach each other by address; any text is an address. */
export interface MemoryNetwork {
  /** A new endpoint. An address is free again once the endpoint that opened it is closed. */
  transport(address: string): Transport;
  /** Drops what is sent this way from now on. What is under way arrives. */
  cut(link: MemoryLink): void;
  heal(link: MemoryLink): void;
}

/**
 * Replicas in one process. Every envelope goes through the wire codec, so nothing is shared by
 * reference, and what the format forbids fails here as it would on a socket.
 *
 * @throws TransportFailed with every mistake in the options.
 */
export function memoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  const endpoints = new Map<string, MemoryTransport>();
  const cuts = new Set<string>();
  const { clock, latencyMs = 0 } = options;
  const mistakes = unknownOptions(options, ['clock', 'latencyMs']);
  if (!(Number.isFinite(latencyMs) && latencyMs >= 0)) {
    mistakes.push(`latencyMs: expected milliseconds from 0, got ${shown(latencyMs)}`);
  }
  if (mistakes.length > 0)
    throw new TransportFailed(`invalid options for memoryNetwork: ${mistakes.join('; ')}`);
  const fabric: Fabric = {
    endpoints,
    isCut: (link) => cuts.has(linkKey(link)),
    later: clock
      ? (deliver) => void clock.setTimer(latencyMs, deliver)
      : (deliver) => queueMicrotask(deliver),
  };
  return {
    transport: (address) => new MemoryTransport(fabric, address),
    cut: (link) => void cuts.add(linkKey(link)),
    heal: (link) => void cuts.delete(linkKey(link)),
  };
}

interface Fabric {
  readonly endpoints: Map<string, MemoryTransport>;
  isCut(link: MemoryLink): boolean;
  later(deliver: () => void): void;
}

const linkKey = (link: MemoryLink): string => JSON.stringify([link.from, link.to]);

class MemoryTransport implements Transport {
  readonly address: string;
  readonly #fabric: Fabric;
  readonly #counters = newCounters();
  readonly #peers = new PeerTable();
  #queuedBytes = 0;
  #local: LocalEndpoint | null = null;
  #identity: TransportIdentity | null = null;
  #closed = false;

  constructor(fabric: Fabric, address: string) {
    this.#fabric = fabric;
    this.address = address;
  }

  async open(local: LocalEndpoint): Promise<void> {
    if (this.#local || this.#closed) {
      throw new TransportFailed('this transport was opened before; make a new one for every open');
    }
    if (this.#fabric.endpoints.has(this.address)) {
      throw new TransportFailed(
        `the address ${JSON.stringify(this.address)} is in use on this memory network: close the endpoint that has it, or choose another`,
      );
    }
    this.#fabric.endpoints.set(this.address, this);
    this.#local = local;
    this.#identity = local.identity;
  }

  setIdentity(identity: TransportIdentity): void {
    this.#identity = identity;
  }

  setPeers(peers: readonly Peer[]): void {
    this.#peers.set(peers);
  }

  send(envelope: Envelope): void {
    const address = this.#peers.find(envelope.to)?.address;
    if (address === undefined) {
      this.#counters.droppedUnknownPeer += 1;
      return;
    }
    const receiver = this.#fabric.endpoints.get(address);
    const open = this.#local !== null && !this.#closed;
    if (!open || !receiver || this.#fabric.isCut({ from: this.address, to: address })) {
      this.#counters.droppedDisconnected += 1;
      return;
    }
    const bytes = this.#encode(envelope);
    if (bytes) this.#deliver(receiver, bytes);
  }

  stats(): TransportStats {
    return { ...this.#counters, queuedBytes: this.#queuedBytes };
  }

  async close(): Promise<void> {
    if (this.#fabric.endpoints.get(this.address) === this) this.#fabric.endpoints.delete(this.address);
    this.#closed = true;
  }

  #encode(envelope: Envelope): Uint8Array | null {
    try {
      return encodeEnvelope(envelope);
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      this.#counters.badFrames += 1;
      this.#local?.observe({
        kind: 'bad-frame',
        peer: envelope.to.id,
        address: this.address,
        reason: `not sent: ${error.reason}`,
      });
      return null;
    }
  }

  #deliver(receiver: MemoryTransport, bytes: Uint8Array): void {
    this.#counters.messagesSent += 1;
    this.#counters.bytesSent += bytes.length;
    this.#queuedBytes += bytes.length;
    this.#fabric.later(() => {
      this.#queuedBytes -= bytes.length;
      receiver.#arrive(bytes);
    });
  }

  #arrive(bytes: Uint8Array): void {
    if (this.#closed || !this.#local) return;
    const envelope = decodeEnvelope(bytes);
    // Whoever answers at an address need not be whom the sender means.
    if (envelope.to.id !== this.#identity?.id) return;
    this.#counters.messagesReceived += 1;
    this.#counters.bytesReceived += bytes.length;
    this.#local.receive(envelope);
  }
}
