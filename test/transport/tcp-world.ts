import { connect, createServer, type Server, type Socket } from 'node:net';
import { nodeClock } from '../../src/doors/node-clock.ts';
import type { Envelope, Message } from '../../src/raft/message.ts';
import type { Peer, Transport, TransportEvent, TransportIdentity } from '../../src/transport/contract.ts';
import { encodeFrame, FrameReader } from '../../src/transport/frame.ts';
import { decodeHello, encodeHello, encodeWelcome } from '../../src/transport/handshake.ts';
import { type TcpTransport, tcpTransport } from '../../src/transport/tcp.ts';
import type { TcpTransportOptions } from '../../src/transport/tcp-settings.ts';
import { encodeEnvelope } from '../../src/transport/wire.ts';

const clock = nodeClock();

export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = clock.now() + 10_000;
  while (!condition()) {
    if (clock.now() > deadline) throw new Error(`waited 10 s for ${what}`);
    await new Promise<void>((resolve) => clock.setTimer(1, resolve));
  }
}

export const wait = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimer(ms, resolve));

export const INCARNATION = '00000000000000aa';
export const OTHER_INCARNATION = '00000000000000bb';

export const identityOf = (
  id: string,
  clusterId: string | null = null,
  incarnation: string = INCARNATION,
): TransportIdentity => ({
  id,
  incarnation,
  boot: 1,
  clusterId,
});

export const envelope = (
  from: string,
  to: string,
  message: Message = { kind: 'BootstrapQuery', members: [] },
): Envelope => ({
  clusterId: null,
  group: 'default',
  from: { id: from, incarnation: INCARNATION, boot: 1 },
  to: { id: to, incarnation: null },
  message,
});

/** An append whose one command has so many bytes. */
export const append = (bytes: number, index = 1): Message => ({
  kind: 'AppendEntries',
  term: 1,
  prevLogIndex: index - 1,
  prevLogTerm: index === 1 ? 0 : 1,
  entries: [{ kind: 'command', index, term: 1, payload: new Uint8Array(bytes) }],
  leaderCommit: 0,
});

/** Endpoints, and sockets that are none, of one test. */
export class TcpWorld {
  readonly #closers: (() => unknown)[] = [];
  readonly #dialled = new Set<RawPeer>();

  async open(
    id: string,
    options: Partial<TcpTransportOptions> = {},
    clusterId: string | null = null,
  ): Promise<TcpReplica> {
    const transport = tcpTransport({ listen: '127.0.0.1:0', reconnect: { fromMs: 5, toMs: 20 }, ...options });
    const replica = new TcpReplica(id, transport);
    this.#closers.push(() => transport.close());
    await transport.open({
      identity: identityOf(id, clusterId),
      receive: (received) => replica.received.push(received),
      observe: (event) => replica.events.push(event),
    });
    return replica;
  }

  /** Lets go of the dialled connections that are closed. */
  forgetClosed(): void {
    for (const raw of this.#dialled) if (raw.closed) this.#dialled.delete(raw);
  }

  /** A connection that says only what it is told to. */
  async dial(to: Peer): Promise<RawPeer> {
    const socket = connect(portOf(to.address), '127.0.0.1');
    const raw = new RawPeer(socket);
    this.#dialled.add(raw);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return raw;
  }

  /** A connection that has finished its handshake as `id`. */
  async dialAs(
    id: string,
    to: Peer,
    run: { readonly incarnation?: string; readonly boot?: number } = {},
  ): Promise<RawPeer> {
    const raw = await this.dial(to);
    raw.frame(encodeHello({ sender: { ...identityOf(id), ...run }, receiver: to.id }));
    await until(() => raw.bodies.length > 0, 'the answer to the hello');
    return raw;
  }

  /** A server that does with each connection what it is told to. */
  async serve(id: string, accept: (raw: RawPeer) => void): Promise<Peer> {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      accept(new RawPeer(socket));
    });
    this.#closers.push(() => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
    return { id, incarnation: null, address: `127.0.0.1:${port}` };
  }

  /** A server that welcomes whoever comes, and then does what it is told to. */
  async welcome(id: string, then: (raw: RawPeer) => void): Promise<Peer> {
    return this.serve(id, (raw) => {
      raw.onBody = (body) => {
        decodeHello(body);
        raw.onBody = () => {};
        raw.frame(encodeWelcome(identityOf(id)));
        then(raw);
      };
    });
  }

  async close(): Promise<void> {
    for (const raw of this.#dialled) raw.socket.destroy();
    for (const close of this.#closers.reverse()) await close();
  }
}

export class TcpReplica implements Peer {
  readonly id: string;
  readonly incarnation = INCARNATION;
  readonly transport: TcpTransport;
  readonly received: Envelope[] = [];
  readonly events: TransportEvent[] = [];

  constructor(id: string, transport: TcpTransport) {
    this.id = id;
    this.transport = transport;
  }

  get address(): string {
    return this.transport.address;
  }

  know(...peers: readonly Peer[]): void {
    this.transport.setPeers(peers.map(({ id, incarnation, address }) => ({ id, incarnation, address })));
  }

  /** Sends until the other has received one of this side's messages more. */
  async reach(other: TcpReplica): Promise<void> {
    const mine = (): number => other.received.filter(({ from }) => from.id === this.id).length;
    const before = mine();
    await until(() => {
      (this.transport as Transport).send(envelope(this.id, other.id));
      return mine() > before;
    }, `${this.id} to reach ${other.id}`);
  }

  async hears<K extends TransportEvent['kind']>(kind: K): Promise<Extract<TransportEvent, { kind: K }>> {
    const found = (): TransportEvent | undefined => this.events.find((event) => event.kind === kind);
    await until(() => found() !== undefined, `${this.id} to observe ${kind}`);
    return found() as Extract<TransportEvent, { kind: K }>;
  }
}

export class RawPeer {
  readonly socket: Socket;
  readonly bodies: Uint8Array[] = [];
  closed = false;
  chunks = 0;
  bytes = 0;
  onBody: (body: Uint8Array) => void = () => {};
  readonly #reader = new FrameReader(1 << 26);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (chunk: Buffer) => {
      this.chunks += 1;
      this.bytes += chunk.length;
      this.#reader.push(chunk);
      for (let body = this.#reader.next(); body !== null; body = this.#reader.next()) {
        this.bodies.push(body);
        this.onBody(body);
      }
    });
  }

  write(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  frame(body: Uint8Array): void {
    this.write(encodeFrame(body));
  }

  message(sent: Envelope): void {
    this.frame(encodeEnvelope(sent));
  }

  async closes(): Promise<void> {
    await until(() => this.closed, 'the connection to be closed');
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
