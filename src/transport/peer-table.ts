import type { NodeId } from '../raft/identity.ts';
import type { Envelope } from '../raft/message.ts';
import type { Peer } from './contract.ts';

/** Whom an endpoint may send to: what `setPeers` was last told, and the addressing rule of `send`. */
export class PeerTable {
  #peers: readonly Peer[] = [];
  /** In the order told. */
  readonly #named = new Map<NodeId, Peer[]>();

  get peers(): readonly Peer[] {
    return this.#peers;
  }

  /** Returns false, and changes nothing, when it is the list that it has: lists are told often. */
  set(peers: readonly Peer[]): boolean {
    if (peers.length === this.#peers.length && peers.every((peer, at) => samePeer(peer, this.#peers[at]))) {
      return false;
    }
    this.#peers = peers.map(({ id, incarnation, address }) => ({ id, incarnation, address }));
    this.#named.clear();
    for (const peer of this.#peers) {
      const others = this.#named.get(peer.id);
      if (others) others.push(peer);
      else this.#named.set(peer.id, [peer]);
    }
    return true;
  }

  find(to: Envelope['to']): Peer | undefined {
    const named = this.#named.get(to.id);
    if (named === undefined || to.incarnation === null) return named?.[0];
    let anyIncarnation: Peer | undefined;
    for (const peer of named) {
      if (peer.incarnation === to.incarnation) return peer;
      if (peer.incarnation === null) anyIncarnation ??= peer;
    }
    return anyIncarnation;
  }
}

function samePeer(a: Peer, b: Peer | undefined): boolean {
  return a.id === b?.id && a.incarnation === b.incarnation && a.address === b.address;
}
