import type { Socket } from 'node:net';
import type { TimerHandle } from '../doors/clock.ts';
import type { NodeId, ReplicaId } from '../raft/identity.ts';
import { formatAddress } from './address.ts';
import type { HandshakeRefusal } from './contract.ts';
import { MalformedFrame } from './errors.ts';
import { encodeFrame } from './frame.ts';
import { FramedSocket } from './framed-socket.ts';
import { decodeHello, encodeRefusal, encodeWelcome, judgeHello } from './handshake.ts';
import { lifeFrame, type TcpContext } from './tcp-context.ts';
import { decodeEnvelope } from './wire.ts';

/** What the endpoint hears of a connection it accepted. */
export interface InboundOwner {
  /** The handshake succeeded: `inbound.sender` is known. */
  onWelcomed(inbound: TcpInbound): void;
  onClosed(inbound: TcpInbound): void;
}

/** A connection that a peer dialled, to send to this side. Nothing is answered on it but signs of life. */
export class TcpInbound {
  /** Who dialled; null until the handshake succeeded. */
  sender: ReplicaId | null = null;
  readonly #context: TcpContext;
  readonly #owner: InboundOwner;
  readonly #socket: FramedSocket;
  readonly #address: string;
  #timer: TimerHandle | null;
  #refused = false;

  constructor(context: TcpContext, socket: Socket, owner: InboundOwner) {
    this.#context = context;
    this.#owner = owner;
    this.#address = formatAddress({ host: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 });
    this.#socket = new FramedSocket(socket, context.counters, {
      onFrame: (body) => this.#onFrame(body),
      onMalformed: (reason) => this.#onMalformed(reason),
      onClosed: () => this.#onClosed(),
    });
    const { clock, handshakeTimeoutMs } = context.settings;
    this.#timer = clock.setTimer(handshakeTimeoutMs, () => {
      this.refuse('timeout', `no handshake within ${handshakeTimeoutMs} ms`);
    });
  }

  /** Tells of a refusal and drops the connection without a word to the other side. */
  refuse(reason: HandshakeRefusal, message: string): void {
    if (!this.#refused) this.#tellRefusal(null, reason, message);
    this.destroy(message);
  }

  destroy(reason: string): void {
    this.#socket.destroy(reason);
  }

  #onFrame(body: Uint8Array): void {
    if (this.#refused) return;
    if (this.sender === null) this.#onHello(body);
    else if (body.length === 0) this.#answerLife();
    else this.#onEnvelope(body, this.sender.id);
  }

  #onHello(body: Uint8Array): void {
    const { identity, settings } = this.#context;
    const hello = decodeHello(body);
    const sender = 'sender' in hello ? hello.sender : null;
    const refusal = judgeHello(hello, identity);
    if (refusal) {
      this.#tellRefusal(sender?.id ?? null, refusal.reason, refusal.message);
      // The handshake's timer stays: it ends the connection if the other side does not.
      this.#socket.end(encodeFrame(encodeRefusal(refusal)));
      return;
    }
    this.#clearTimer();
    this.sender = sender;
    this.#socket.acceptBodiesUpTo(settings.frameBytesMax);
    this.#socket.write(encodeFrame(encodeWelcome(identity)));
    this.#owner.onWelcomed(this);
  }

  #answerLife(): void {
    // One who asks and never reads the answers must not make them pile up.
    if (this.#socket.queuedBytes > UNREAD_BYTES_MAX) this.destroy('the other side does not read');
    else this.#socket.write(lifeFrame);
  }

  #onEnvelope(body: Uint8Array, sender: NodeId): void {
    const envelope = decodeEnvelope(body);
    const { counters, identity, local } = this.#context;
    // The handshake said who speaks and to whom; an envelope that says otherwise is forged or astray. The
    // incarnation may have become another since: a replica that reopened its storage keeps its connections.
    if (envelope.from.id !== sender) {
      throw new MalformedFrame(`an envelope from ${envelope.from.id} on the connection of ${sender}`);
    }
    if (envelope.to.id !== identity.id) {
      throw new MalformedFrame(`an envelope to ${envelope.to.id} on a connection to ${identity.id}`);
    }
    counters.messagesReceived += 1;
    local.receive(envelope);
  }

  #onMalformed(reason: string): void {
    if (this.sender === null) {
      this.refuse('not-kontiki', `no handshake of Kontiki's: ${reason}`);
      return;
    }
    this.#context.counters.badFrames += 1;
    const { id } = this.sender;
    this.#context.local.observe({ kind: 'bad-frame', peer: id, address: this.#address, reason });
    this.destroy(`bad frame: ${reason}`);
  }

  #tellRefusal(peer: NodeId | null, reason: HandshakeRefusal, message: string): void {
    this.#refused = true;
    this.#context.counters.refusedHandshakes += 1;
    this.#context.local.observe({ kind: 'refused', peer, address: this.#address, reason, message });
  }

  #onClosed(): void {
    this.#clearTimer();
    this.#owner.onClosed(this);
  }

  #clearTimer(): void {
    if (this.#timer) this.#context.settings.clock.clearTimer(this.#timer);
    this.#timer = null;
  }
}

const UNREAD_BYTES_MAX = 64 * 1024;
