import type { Clock } from '../doors/clock.ts';
import { nodeClock } from '../doors/node-clock.ts';
import { nodeRandom } from '../doors/node-random.ts';
import type { Random } from '../doors/random.ts';
import { isOptions, shown, unknownOptions } from '../raft/option-mistakes.ts';
import { type Address, parseAddress } from './address.ts';
import { TransportFailed } from './errors.ts';
import { defaultFrameBytesMax } from './frame.ts';

export interface TcpTransportOptions {
  /** Where to listen, `host:port`. Port 0 lets the system choose. */
  readonly listen: string;
  /** The address told to others, when it is not `listen`; its port 0 stands for the one listened on. */
  readonly advertise?: string;
  /** Bytes that may wait for one peer; beyond it new messages are dropped. Default 16 MiB. */
  readonly queueBytesMax?: number;
  /** Bytes of the largest message, sent or received. Default 64 MiB. */
  readonly frameBytesMax?: number;
  /** Milliseconds a connection has to become one, handshake included. Default 5000. */
  readonly handshakeTimeoutMs?: number;
  /** Milliseconds between signs of life asked of a peer that is sent to. After three without one the
   * connection is given up. Default 2000. */
  readonly keepAliveMs?: number;
  /** Waits between attempts to connect grow from `fromMs` (default 50) to `toMs` (default 2000), jittered. */
  readonly reconnect?: { readonly fromMs?: number; readonly toMs?: number };
  /** Default: the machine's clock and randomness. */
  readonly doors?: { readonly clock?: Clock; readonly random?: Random };
}

/** The options, checked and complete. */
export interface TcpSettings {
  readonly listen: Address;
  readonly advertise: Address | null;
  readonly queueBytesMax: number;
  readonly frameBytesMax: number;
  readonly handshakeTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly reconnectFromMs: number;
  readonly reconnectToMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** @throws TransportFailed with every mistake in the options. */
export function tcpSettings(options: TcpTransportOptions): TcpSettings {
  if (!isOptions(options)) throw invalid([`expected an object of options, found ${shown(options)}`]);
  const mistakes = unknownOptions(options, Object.keys(KNOWN));
  for (const [name, known] of [
    ['reconnect', ['fromMs', 'toMs']],
    ['doors', ['clock', 'random']],
  ] as const) {
    const given: unknown = options[name];
    if (given === undefined) continue;
    if (isOptions(given)) mistakes.push(...unknownOptions(given, known, `${name}.`));
    else mistakes.push(`${name}: expected an object, got ${shown(given)}`);
  }
  const address = (name: string, text: unknown): Address => {
    const parsed = typeof text === 'string' ? parseAddress(text) : `${shown(text)} is no string`;
    if (typeof parsed !== 'string') return parsed;
    mistakes.push(`${name}: ${parsed}`);
    return { host: '', port: 0 };
  };
  const positive = (name: string, value: number | undefined, fallback: number, max: number): number => {
    if (value === undefined) return fallback;
    if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
    mistakes.push(`${name}: expected an integer from 1 to ${max}, got ${shown(value)}`);
    return fallback;
  };
  const settings: TcpSettings = {
    listen: address('listen', options.listen),
    advertise: options.advertise === undefined ? null : address('advertise', options.advertise),
    queueBytesMax: positive(
      'queueBytesMax',
      options.queueBytesMax,
      16 * 1024 * 1024,
      Number.MAX_SAFE_INTEGER,
    ),
    frameBytesMax: positive('frameBytesMax', options.frameBytesMax, defaultFrameBytesMax, 2 ** 31 - 1),
    handshakeTimeoutMs: positive('handshakeTimeoutMs', options.handshakeTimeoutMs, 5000, DAY_MS),
    keepAliveMs: positive('keepAliveMs', options.keepAliveMs, 2000, DAY_MS),
    reconnectFromMs: positive('reconnect.fromMs', options.reconnect?.fromMs, 50, DAY_MS),
    reconnectToMs: positive('reconnect.toMs', options.reconnect?.toMs, 2000, DAY_MS),
    clock: options.doors?.clock ?? nodeClock(),
    random: options.doors?.random ?? nodeRandom(),
  };
  if (settings.reconnectToMs < settings.reconnectFromMs) {
    mistakes.push(
      `reconnect: toMs (${settings.reconnectToMs}) is less than fromMs (${settings.reconnectFromMs})`,
    );
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  return settings;
}

/** Every option there is; one that is missing here does not compile. */
const KNOWN: Readonly<Record<keyof TcpTransportOptions, true>> = {
  listen: true,
  advertise: true,
  queueBytesMax: true,
  frameBytesMax: true,
  handshakeTimeoutMs: true,
  keepAliveMs: true,
  reconnect: true,
  doors: true,
};

function invalid(mistakes: readonly string[]): TransportFailed {
  return new TransportFailed(
    `invalid options for tcpTransport:\n${mistakes.map((m) => `  - ${m}`).join('\n')}`,
  );
}

const DAY_MS = 24 * 60 * 60 * 1000;
