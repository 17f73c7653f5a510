import type { LocalEndpoint, TransportIdentity } from './contract.ts';
import type { Counters } from './counters.ts';
import { encodeFrame } from './frame.ts';
import type { TcpSettings } from './tcp-settings.ts';

/** What the connections of one endpoint share. */
export interface TcpContext {
  readonly settings: TcpSettings;
  readonly counters: Counters;
  readonly local: LocalEndpoint;
  /** As last set; handshakes tell it. */
  identity: TransportIdentity;
}

/** Asks for a sign of life, and is one. */
export const lifeFrame = encodeFrame(new Uint8Array(0));
