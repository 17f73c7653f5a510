import { createServer, type Server, type Socket } from 'node:net';
import type { ReplicaId } from '../raft/identity.ts';
import type { Envelope } from '../raft/message.ts';
import { formatAddress } from './address.ts';
import type { LocalEndpoint, Peer, Transport, TransportIdentity, TransportStats } from './contract.ts';
import { newCounters } from './counters.ts';
import { MalformedFrame, TransportFailed } from './errors.ts';
import { frameHeadBytes, sealFrame } from './frame.ts';
import { PeerTable } from './peer-table.ts';
import type { TcpContext } from './tcp-context.ts';
import { TcpInbound } from './tcp-inbound.ts';
import { type LinkTarget, TcpLink } from './tcp-link.ts';
import { type TcpSettings, type TcpTransportOptions, tcpSettings } from './tcp-settings.ts';
import { encodeEnvelope } from './wire.ts';

/** A transport over TCP. */
export interface TcpTransport extends Transport {
  /** `host:port` by which others reach this endpoint. Complete once it is open (port 0 before). */
  readonly address: string;
}

/**
 * Messages as checksummed frames over TCP: one connection per peer and direction, dialled by the sender,
 * opened by a handshake that names version, cluster, sender and receiver. No encryption and no proof of
 * identity: only for networks whose every member is trusted.
 *
 * @throws TransportFailed when the options are wrong, with all mistakes.
 */
export function tcpTransport(options: TcpTransportOptions): TcpTransport {
  return new TcpEndpoint(tcpSettings(options));
}

class TcpEndpoint implements TcpTransport {
  readonly #settings: TcpSettings;
  readonly #counters = newCounters();
  #state: 'new' | 'opening' | 'open' | 'closed' = 'new';
  #context: TcpContext | null = null;
  #server: Server | null = null;
  #listenPort: number;
  readonly #peers = new PeerTable();
  /** By id and address. */
  readonly #links = new Map<string, TcpLink>();
  /** The link of each entry of `#peers` but this endpoint's own. */
  readonly #linkOf = new Map<Peer, TcpLink>();
  /** Connections accepted and not yet welcomed, oldest first. */
  readonly #strangers = new Set<TcpInbound>();
  /**
   * By the run that dialled: neither a stray process with a member's id nor a copy of a member's directory,
   * which is the same pair at another boot, pushes out that member's connection.
   */
  readonly #inbound = new Map<string, TcpInbound>();

  constructor(settings: TcpSettings) {
    this.#settings = settings;
    this.#listenPort = settings.listen.port;
  }

  get address(): string {
    const { host, port } = this.#settings.advertise ?? this.#settings.listen;
    return formatAddress({ host, port: port === 0 ? this.#listenPort : port });
  }

  get messageBytesMax(): number {
    return this.#settings.frameBytesMax;
  }

  async open(local: LocalEndpoint): Promise<void> {
    if (this.#state !== 'new') {
      throw new TransportFailed('this transport was opened before; make a new one for every open');
    }
    this.#state = 'opening';
    const context = { settings: this.#settings, counters: this.#counters, local, identity: local.identity };
    this.#context = context;
    const server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS },
      (socket) => this.#accept(socket, context),
    );
    server.maxConnections = CONNECTIONS_MAX;
    server.on('drop', () => this.#noRoom(context, `${CONNECTIONS_MAX} connections are open`));
    this.#server = server;
    await listen(server, this.#settings);
    // A listening server has errors only from accepting, such as no file descriptors left; it goes on.
    server.on('error', (error) => this.#noRoom(context, `a connection cannot be accepted: ${error.message}`));
    if (this.#state !== 'opening') {
      server.close();
      throw new TransportFailed('this transport was closed while it opened');
    }
    this.#listenPort = portOf(server);
    this.#state = 'open';
    this.#connect(context);
  }

  setIdentity(identity: TransportIdentity): void {
    if (!this.#context) return;
    this.#context.identity = identity;
    // Which entries are this endpoint's own may have changed.
    if (this.#state === 'open') this.#connect(this.#context);
  }

  setPeers(peers: readonly Peer[]): void {
    const changed = this.#peers.set(peers);
    if (changed && this.#state === 'open' && this.#context) this.#connect(this.#context);
  }

  send(envelope: Envelope): void {
    const peer = this.#peers.find(envelope.to);
    const link = peer && this.#linkOf.get(peer);
    if (!link) {
      this.#counters.droppedUnknownPeer += 1;
    } else if (!link.ready) {
      this.#counters.droppedDisconnected += 1;
    } else {
      const frame = this.#encode(envelope, link.peer);
      if (frame) this.#enqueue(frame, link);
    }
  }

  stats(): TransportStats {
    let queuedBytes = 0;
    for (const link of this.#links.values()) queuedBytes += link.queuedBytes;
    return { ...this.#counters, queuedBytes };
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    const server = this.#server;
    const stopped = new Promise<void>((resolve) => {
      if (server?.listening) server.close(() => resolve());
      else resolve();
    });
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    this.#linkOf.clear();
    for (const inbound of [...this.#strangers, ...this.#inbound.values()]) inbound.destroy('endpoint closed');
    await stopped;
  }

  /** Makes the links those that `#peers` asks for; those that it still asks for stay as they are. */
  #connect(context: TcpContext): void {
    const wanted = this.#peers.peers.filter((peer) => !this.#isSelf(peer, context.identity));
    const keys = new Set(wanted.map(linkKey));
    for (const [key, link] of this.#links) {
      if (keys.has(key)) continue;
      this.#links.delete(key);
      link.close();
    }
    this.#linkOf.clear();
    const added: TcpLink[] = [];
    for (const peer of wanted) {
      let link = this.#links.get(linkKey(peer));
      if (!link) {
        link = new TcpLink(context, peer);
        this.#links.set(linkKey(peer), link);
        added.push(link);
      }
      this.#linkOf.set(peer, link);
    }
    // Last: whoever is told of a failure may set other peers.
    for (const link of added) link.wake();
  }

  /** What this replica was before it was emptied is listed at its own address, and is gone. */
  #isSelf(peer: Peer, self: TransportIdentity): boolean {
    return peer.id === self.id && (peer.incarnation === self.incarnation || peer.address === this.address);
  }

  #encode(envelope: Envelope, peer: LinkTarget): Uint8Array | null {
    try {
      const frame = encodeEnvelope(envelope, frameHeadBytes);
      const bodyBytes = frame.length - frameHeadBytes;
      if (bodyBytes > this.#settings.frameBytesMax) {
        throw new MalformedFrame(`${bodyBytes} bytes, and frameBytesMax is ${this.#settings.frameBytesMax}`);
      }
      sealFrame(frame);
      return frame;
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      this.#counters.badFrames += 1;
      const reason = `not sent: ${error.reason}`;
      this.#context?.local.observe({ kind: 'bad-frame', peer: peer.id, address: peer.address, reason });
      return null;
    }
  }

  #enqueue(frame: Uint8Array, link: TcpLink): void {
    const queued = link.queuedBytes;
    // An empty queue takes any message, or one larger than the bound would never leave. The newest is
    // dropped: what waits is what the peer needs first.
    if (queued > 0 && queued + frame.length > this.#settings.queueBytesMax) {
      this.#counters.droppedQueueFull += 1;
      return;
    }
    this.#counters.messagesSent += 1;
    link.send(frame);
  }

  #accept(socket: Socket, context: TcpContext): void {
    const inbound = new TcpInbound(context, socket, {
      onWelcomed: (welcomed) => this.#onWelcomed(welcomed),
      onClosed: (closed) => {
        this.#strangers.delete(closed);
        const key = closed.sender && runKey(closed.sender);
        if (key !== null && this.#inbound.get(key) === closed) this.#inbound.delete(key);
      },
    });
    this.#strangers.add(inbound);
    if (this.#strangers.size <= STRANGERS_MAX) return;
    // The oldest goes: a peer needs one round trip, so who is still here has had more time than a peer needs.
    for (const oldest of this.#strangers) {
      oldest.refuse('overloaded', `${STRANGERS_MAX} handshakes are under way`);
      break;
    }
  }

  #onWelcomed(inbound: TcpInbound): void {
    this.#strangers.delete(inbound);
    if (inbound.sender === null) return;
    const key = runKey(inbound.sender);
    // A peer dials again only after giving the older connection up, though this side may not see it closed.
    this.#inbound.get(key)?.destroy('replaced by a newer connection');
    this.#inbound.set(key, inbound);
    for (const link of this.#links.values()) if (link.peer.id === inbound.sender.id) link.wake();
  }

  #noRoom(context: TcpContext, message: string): void {
    this.#counters.refusedHandshakes += 1;
    context.local.observe({
      kind: 'refused',
      peer: null,
      address: this.address,
      reason: 'overloaded',
      message,
    });
  }
}

const linkKey = ({ id, address }: LinkTarget): string => `${id} ${address}`;
const runKey = ({ id, incarnation, boot }: ReplicaId): string => `${id} ${incarnation} ${boot}`;

/** Accepted connections in all. */
const CONNECTIONS_MAX = 1024;
/** A run that ended without a word is not replaced by the next one; its connection goes when nothing answers. */
const KEEP_ALIVE_AFTER_MS = 60_000;
/** Accepted connections whose handshake is not finished. */
const STRANGERS_MAX = 64;

function listen(server: Server, settings: TcpSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(listenFailed(settings, error));
    server.once('error', onError);
    server.listen({ ...settings.listen, exclusive: true }, () => {
      server.removeListener('error', onError);
      resolve();
    });
  });
}

function listenFailed(settings: TcpSettings, cause: NodeJS.ErrnoException): TransportFailed {
  const { host, port } = settings.listen;
  const advice: Record<string, string> = {
    EADDRINUSE: `port ${port} is in use: stop whatever listens there, or choose another port`,
    EADDRNOTAVAIL: `no network interface of this machine has the address ${host}: listen on one of its own, or on 0.0.0.0`,
    EACCES: `this process may not listen on port ${port}: choose one above 1023, or give it the right`,
    ENOTFOUND: `the host name ${host} does not resolve: check its spelling, or use an IP address`,
    EAI_AGAIN: `the host name ${host} does not resolve at present: check the name server, or use an IP address`,
  };
  const why = advice[cause.code ?? ''] ?? cause.message;
  return new TransportFailed(`cannot listen on ${formatAddress(settings.listen)}: ${why}`, { cause });
}

function portOf(server: Server): number {
  const bound = server.address();
  return bound !== null && typeof bound === 'object' ? bound.port : 0;
}
