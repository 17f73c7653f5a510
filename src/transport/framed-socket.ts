import type { Socket } from 'node:net';
import type { Counters } from './counters.ts';
import { MalformedFrame } from './errors.ts';
import { FrameReader } from './frame.ts';
import { handshakeBytesMax } from './handshake.ts';

/** Whoever owns a connection hears of it by these. None is called after `onClosed`. */
export interface SocketOwner {
  /** May throw MalformedFrame. */
  onFrame(body: Uint8Array): void;
  /** The bytes make no sense from here on, and the owner is to destroy the connection. */
  onMalformed(reason: string): void;
  onClosed(reason: string): void;
}

/** Frames over one TCP connection. Until told otherwise only frames of a handshake's size are accepted. */
export class FramedSocket {
  readonly #socket: Socket;
  readonly #reader = new FrameReader(handshakeBytesMax);
  readonly #counters: Counters;
  readonly #owner: SocketOwner;
  /** Bytes to write, in order, from `#head` on. */
  #queue: Uint8Array[] = [];
  #head = 0;
  #queueBytes = 0;
  #writtenBytes = 0;
  #flushDue = false;
  #closed = false;
  #closeReason = 'closed by the other side';

  constructor(socket: Socket, counters: Counters, owner: SocketOwner) {
    this.#socket = socket;
    this.#counters = counters;
    this.#owner = owner;
    socket.on('data', (chunk: Uint8Array) => this.#read(chunk));
    socket.on('error', (error) => {
      this.#closeReason = error.message;
    });
    socket.on('close', () => this.#finish());
    socket.on('drain', () => this.#flush());
  }

  /** Bytes not yet taken by the operating system. */
  get queuedBytes(): number {
    return this.#queueBytes + this.#socket.writableLength;
  }

  /** Bytes the operating system has taken. */
  get takenBytes(): number {
    return this.#writtenBytes - this.queuedBytes;
  }

  acceptBodiesUpTo(bytes: number): void {
    this.#reader.bodyBytesMax = bytes;
  }

  /** Frames written in one turn of the event loop leave together. */
  write(frame: Uint8Array): void {
    if (this.#closed) return;
    for (let at = 0; at < frame.length; at += BATCH_BYTES) {
      this.#queue.push(frame.length <= BATCH_BYTES ? frame : frame.subarray(at, at + BATCH_BYTES));
    }
    this.#queueBytes += frame.length;
    this.#writtenBytes += frame.length;
    this.#counters.bytesSent += frame.length;
    if (this.#flushDue) return;
    this.#flushDue = true;
    queueMicrotask(() => {
      this.#flushDue = false;
      this.#flush();
    });
  }

  /** Writes a last frame. What still comes in is read and ignored, lest a reset overtake the frame. */
  end(frame: Uint8Array): void {
    if (this.#closed) return;
    this.#counters.bytesSent += frame.length;
    this.#socket.end(frame);
  }

  /** Drops what is queued, and closes. The owner hears `onClosed` at once. */
  destroy(reason: string): void {
    this.#closeReason = reason;
    this.#finish();
    this.#socket.destroy();
  }

  /**
   * Hands over one batch at a time: however much is queued, `takenBytes` grows with every batch, which
   * tells a slow link from a dead one.
   */
  #flush(): void {
    if (this.#closed || this.#head === this.#queue.length) return;
    this.#socket.cork();
    while (this.#head < this.#queue.length && !this.#batchUnderWay()) {
      const bytes = this.#queue[this.#head] ?? nothing;
      this.#head += 1;
      this.#queueBytes -= bytes.length;
      this.#socket.write(bytes);
    }
    if (this.#head === this.#queue.length || this.#head >= SPENT_MAX) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#socket.uncork();
  }

  /** Only then does `drain` come. */
  #batchUnderWay(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength >= BATCH_BYTES;
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    this.#head = 0;
    this.#queueBytes = 0;
    this.#owner.onClosed(this.#closeReason);
  }

  #read(chunk: Uint8Array): void {
    if (this.#closed) return;
    this.#counters.bytesReceived += chunk.length;
    try {
      this.#reader.push(chunk);
      for (let body = this.#reader.next(); body !== null; body = this.#reader.next()) {
        this.#owner.onFrame(body);
        if (this.#closed) return;
      }
    } catch (error) {
      if (!(error instanceof MalformedFrame)) throw error;
      this.#owner.onMalformed(error.reason);
    }
  }
}

const nothing = new Uint8Array(0);
const BATCH_BYTES = 256 * 1024;
/** Places of the queue already written that may stand before they are cut off. */
const SPENT_MAX = 1024;
