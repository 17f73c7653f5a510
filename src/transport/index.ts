export {
  addressingConformance,
  type ConformanceFixture,
  type ConformanceHooks,
  transportConformance,
} from './conformance.ts';
export type {
  HandshakeRefusal,
  LocalEndpoint,
  Peer,
  Transport,
  TransportEvent,
  TransportIdentity,
  TransportStats,
} from './contract.ts';
export { MalformedFrame, TransportFailed } from './errors.ts';
export { type MemoryLink, type MemoryNetwork, type MemoryNetworkOptions, memoryNetwork } from './memory.ts';
export { type TcpTransport, tcpTransport } from './tcp.ts';
export type { TcpTransportOptions } from './tcp-settings.ts';
export { decodeEnvelope, encodeEnvelope, protocolVersion } from './wire.ts';
