import type { TransportStats } from './contract.ts';

/** What an endpoint counts as it goes; `queuedBytes` is not counted but measured. */
export type Counters = { -readonly [K in Exclude<keyof TransportStats, 'queuedBytes'>]: number };

export function newCounters(): Counters {
  return {
    messagesSent: 0,
    messagesReceived: 0,
    droppedUnknownPeer: 0,
    droppedQueueFull: 0,
    droppedDisconnected: 0,
    bytesSent: 0,
    bytesReceived: 0,
    badFrames: 0,
    refusedHandshakes: 0,
  };
}
