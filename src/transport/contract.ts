import type { ClusterId, Incarnation, NodeId, ReplicaId } from '../raft/identity.ts';
import type { Envelope } from '../raft/message.ts';

/**
 * Message delivery. `send` may drop, delay, duplicate or reorder; it never throws and never blocks.
 * One transport is one endpoint and is opened once.
 */
export interface Transport {
  /** Where others reach this endpoint, in its own notation. Final once it is open. */
  readonly address: string;
  /** Bytes of the largest message it carries. undefined: any that can be made. */
  readonly messageBytesMax?: number;
  /** Begins to listen and to connect. @throws TransportFailed, for example when the port is in use. */
  open(local: LocalEndpoint): Promise<void>;
  /** After adopting a cluster, or a reopened storage: the identity that later handshakes tell. */
  setIdentity(identity: TransportIdentity): void;
  /** Everyone to whom `send` may be called, with addresses. Replaces the previous list. */
  setPeers(peers: readonly Peer[]): void;
  /**
   * To the peer that `envelope.to` names: the entry with its incarnation, else one of its id without
   * any; when `envelope.to` names no incarnation, the first of its id. An unknown peer, a full queue or a
   * broken link drops the message.
   */
  send(envelope: Envelope): void;
  stats(): TransportStats;
  /** Stops listening and drops what is queued. Idempotent. */
  close(): Promise<void>;
}

export interface TransportIdentity extends ReplicaId {
  readonly clusterId: ClusterId | null;
}

export interface LocalEndpoint {
  readonly identity: TransportIdentity;
  /** Called with every envelope that arrives intact and parses. It never throws. */
  receive(envelope: Envelope): void;
  /** Called with what an operator should hear of. */
  observe(event: TransportEvent): void;
}

/** One id may be there under two incarnations at two addresses: a wiped server and its stray double. */
export interface Peer {
  readonly id: NodeId;
  /** null: whoever has that id. */
  readonly incarnation: Incarnation | null;
  readonly address: string;
}

export type TransportEvent =
  | { readonly kind: 'connected'; readonly peer: NodeId }
  | { readonly kind: 'disconnected'; readonly peer: NodeId; readonly reason: string }
  /** A handshake refused, by us or by the other side. `peer` is null when it did not name itself. */
  | {
      readonly kind: 'refused';
      readonly peer: NodeId | null;
      readonly address: string;
      readonly reason: HandshakeRefusal;
      readonly message: string;
    }
  /**
   * A connection dropped because it sent bytes that are no valid frame; or, where the reason begins with
   * "not sent", a message of our own dropped because it would make none (too large, for example).
   */
  | {
      readonly kind: 'bad-frame';
      readonly peer: NodeId | null;
      readonly address: string;
      readonly reason: string;
    };

export type HandshakeRefusal =
  | 'other-cluster'
  | 'other-version'
  | 'other-receiver'
  | 'not-kontiki'
  | 'timeout'
  /** Too many connections, or too many unfinished handshakes. */
  | 'overloaded';

/** Counters since the endpoint was opened. */
export interface TransportStats {
  /** Taken into a send queue. A connection that breaks loses what is queued, and that is not counted. */
  readonly messagesSent: number;
  readonly messagesReceived: number;
  /** Messages given to `send` and dropped, by reason. */
  readonly droppedUnknownPeer: number;
  readonly droppedQueueFull: number;
  readonly droppedDisconnected: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly badFrames: number;
  readonly refusedHandshakes: number;
  /** Bytes waiting in the send queues of all peers. */
  readonly queuedBytes: number;
}
