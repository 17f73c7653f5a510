import { connect } from 'node:net';
import type { TimerHandle } from '../doors/clock.ts';
import type { NodeId } from '../raft/identity.ts';
import { parseAddress } from './address.ts';
import type { HandshakeRefusal } from './contract.ts';
import { MalformedFrame } from './errors.ts';
import { encodeFrame } from './frame.ts';
import { FramedSocket } from './framed-socket.ts';
import { encodeHello, judgeAnswer } from './handshake.ts';
import { lifeFrame, type TcpContext } from './tcp-context.ts';

/**
 * Whom a link reaches: whoever has the id at the address. Its incarnation is no matter: two entries that
 * differ in nothing else mean one process, before and after it was emptied, and one connection serves both.
 */
export interface LinkTarget {
  readonly id: NodeId;
  readonly address: string;
}

/**
 * The connection to one peer, which this side dials and sends on; what the peer sends comes on the one
 * it dials. So each direction has one owner, who alone decides when to give up and dial again, and two
 * replicas that dial each other at the same moment need no rule for whose connection wins.
 *
 * A connection is given up when it closes, breaks the format, or is silent: a peer whose machine is gone
 * closes nothing, and the kernel would go on taking bytes for it for minutes.
 */
export class TcpLink {
  readonly peer: LinkTarget;
  readonly #context: TcpContext;
  #phase: 'waiting' | 'connecting' | 'greeting' | 'ready' | 'closed' = 'waiting';
  #socket: FramedSocket | null = null;
  /** The one thing waited for: to dial again, the handshake's end, or the next sign of life. */
  #timer: TimerHandle | null = null;
  /** Attempts since the last handshake that succeeded. */
  #failures = 0;
  /** The last failure told, so that an outage is told once and not at every attempt. */
  #toldFailure: string | null = null;
  /** Nothing was sent since the last question, so none is asked: an idle replica costs nothing. */
  #idle = true;
  /** Questions since the last answer. */
  #unanswered = 0;
  /** `takenBytes` at the last question. */
  #takenBytes = 0;

  /** It waits for `wake`. */
  constructor(context: TcpContext, peer: LinkTarget) {
    this.#context = context;
    this.peer = peer;
  }

  get ready(): boolean {
    return this.#phase === 'ready';
  }

  get queuedBytes(): number {
    return this.#socket?.queuedBytes ?? 0;
  }

  /** Only when `ready`. */
  send(frame: Uint8Array): void {
    this.#idle = false;
    this.#socket?.write(frame);
  }

  /** The peer was heard, or nothing was dialled yet: if this side waits to dial, now is the time. */
  wake(): void {
    if (this.#phase !== 'waiting') return;
    this.#failures = 0;
    this.#dial();
  }

  close(): void {
    this.#phase = 'closed';
    this.#clearTimer();
    this.#socket?.destroy('closed by this side');
  }

  #dial(): void {
    this.#clearTimer();
    const address = parseAddress(this.peer.address);
    if (typeof address === 'string') {
      this.#phase = 'connecting';
      this.#onClosed(address);
      return;
    }
    const socket = connect({ ...address, noDelay: true, keepAlive: true });
    this.#phase = 'connecting';
    this.#socket = new FramedSocket(socket, this.#context.counters, {
      onFrame: (body) => this.#onFrame(body),
      onMalformed: (reason) => this.#onMalformed(reason),
      onClosed: (reason) => this.#onClosed(reason),
    });
    socket.once('connect', () => this.#greet());
    this.#setTimer(this.#context.settings.handshakeTimeoutMs, () => this.#onTimeout());
  }

  #greet(): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'greeting';
    const hello = encodeHello({ sender: this.#context.identity, receiver: this.peer.id });
    this.#socket?.write(encodeFrame(hello));
  }

  #onFrame(body: Uint8Array): void {
    if (this.#phase === 'ready') {
      if (body.length > 0) throw new MalformedFrame(`${body.length} bytes where only signs of life come`);
      this.#unanswered = 0;
      return;
    }
    const refusal = judgeAnswer(body, this.peer.id, this.#context.identity);
    if (refusal) this.#refused(refusal.reason, refusal.message);
    else this.#onWelcome();
  }

  #onWelcome(): void {
    this.#phase = 'ready';
    this.#failures = 0;
    this.#toldFailure = null;
    this.#idle = true;
    this.#unanswered = 0;
    this.#takenBytes = 0;
    this.#setTimer(this.#context.settings.keepAliveMs, () => this.#askForLife());
    this.#context.local.observe({ kind: 'connected', peer: this.peer.id });
  }

  #askForLife(): void {
    const socket = this.#socket;
    if (!socket) return;
    // Ticks are counted, not time: after a pause of this process the answers wait to be read first. A
    // full queue that moves is life too, however far behind it the question stands.
    const moved = socket.queuedBytes > 0 && socket.takenBytes > this.#takenBytes;
    if (moved) this.#unanswered = 0;
    if (this.#unanswered >= SILENT_TICKS_MAX) {
      const forMs = SILENT_TICKS_MAX * this.#context.settings.keepAliveMs;
      socket.destroy(`no sign of life for ${forMs} ms`);
      return;
    }
    if (!this.#idle || this.#unanswered > 0) {
      this.#unanswered += 1;
      socket.write(lifeFrame);
    }
    this.#idle = true;
    this.#takenBytes = socket.takenBytes;
    this.#setTimer(this.#context.settings.keepAliveMs, () => this.#askForLife());
  }

  #onTimeout(): void {
    const { handshakeTimeoutMs } = this.#context.settings;
    if (this.#phase === 'greeting') {
      this.#refused('timeout', `no answer to the handshake within ${handshakeTimeoutMs} ms`);
    } else {
      this.#socket?.destroy(`no connection within ${handshakeTimeoutMs} ms`);
    }
  }

  #onMalformed(reason: string): void {
    if (this.#phase !== 'ready') {
      this.#refused('not-kontiki', `the answer to the handshake is not Kontiki's: ${reason}`);
      return;
    }
    this.#context.counters.badFrames += 1;
    const { id, address } = this.peer;
    this.#context.local.observe({ kind: 'bad-frame', peer: id, address, reason });
    this.#socket?.destroy(`bad frame: ${reason}`);
  }

  #refused(reason: HandshakeRefusal, message: string): void {
    this.#context.counters.refusedHandshakes += 1;
    // The refusal says it all; the close that follows is not told again.
    this.#toldFailure = message;
    const { id, address } = this.peer;
    this.#context.local.observe({ kind: 'refused', peer: id, address, reason, message });
    this.#socket?.destroy(message);
  }

  #onClosed(reason: string): void {
    const wasReady = this.#phase === 'ready';
    this.#socket = null;
    this.#clearTimer();
    if (this.#phase === 'closed') return;
    this.#phase = 'waiting';
    // Before anything is told: whoever is told may close this link.
    this.#setTimer(this.#backoffMs(), () => this.#dial());
    if (!wasReady && reason === this.#toldFailure) return;
    this.#toldFailure = reason;
    const told = wasReady ? reason : `cannot connect to ${this.peer.address}: ${reason}`;
    this.#context.local.observe({ kind: 'disconnected', peer: this.peer.id, reason: told });
  }

  /** Doubles with every failure; half of it is drawn, so that replicas cut off together spread out. */
  #backoffMs(): number {
    const { reconnectFromMs, reconnectToMs, random } = this.#context.settings;
    let waitMs = reconnectFromMs;
    for (let i = 0; i < this.#failures && waitMs < reconnectToMs; i += 1) waitMs *= 2;
    waitMs = Math.min(waitMs, reconnectToMs);
    this.#failures += 1;
    return random.integer(Math.ceil(waitMs / 2), waitMs + 1);
  }

  #setTimer(delayMs: number, callback: () => void): void {
    this.#clearTimer();
    this.#timer = this.#context.settings.clock.setTimer(delayMs, callback);
  }

  #clearTimer(): void {
    if (this.#timer) this.#context.settings.clock.clearTimer(this.#timer);
    this.#timer = null;
  }
}

const SILENT_TICKS_MAX = 3;
