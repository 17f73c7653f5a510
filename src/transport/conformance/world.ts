import { ok } from 'node:assert/strict';
import { nodeClock } from '../../doors/node-clock.ts';
import { type Incarnation, type NodeId, sameMember } from '../../raft/identity.ts';
import type { Envelope, Message } from '../../raft/message.ts';
import type { ConformanceFixture } from '../conformance.ts';
import type { Peer, Transport, TransportEvent, TransportIdentity } from '../contract.ts';
import { query } from './messages.ts';

/** The endpoints of one fact. */
export class World {
  readonly fixture: ConformanceFixture;
  readonly #replicas: Replica[] = [];

  constructor(fixture: ConformanceFixture) {
    this.fixture = fixture;
  }

  async open(
    id: NodeId,
    { at, incarnation }: { readonly at?: string; readonly incarnation?: Incarnation } = {},
  ): Promise<Replica> {
    const transport = this.fixture.endpoint(at);
    const replica = new Replica(identityOf(id, incarnation), transport);
    this.#replicas.push(replica);
    await transport.open({
      identity: replica.identity,
      receive: (envelope) => replica.received.push(envelope),
      observe: (event) => replica.events.push(event),
    });
    return replica;
  }

  /** Two replicas that know and reach each other, with nothing received yet. */
  async pair(): Promise<[Replica, Replica]> {
    const a = await this.open('a');
    const b = await this.open('b');
    a.know([b]);
    b.know([a]);
    await this.reach(a, b);
    await this.reach(b, a);
    return [a, b];
  }

  /**
   * Sends until one arrives, since a transport may drop; then waits for those under way to arrive too.
   * `named` is whom the messages are for, if that is not all of `to`.
   */
  async reach(from: Replica, to: Replica, named: Envelope['to'] = to): Promise<void> {
    const arrived = (kind: Message['kind']): boolean =>
      to.received.some((envelope) => sameMember(envelope.from, from) && envelope.message.kind === kind);
    await this.until(() => {
      from.transport.send(from.envelope(named, query));
      return arrived('BootstrapQuery');
    }, `${from.id} to reach ${to.id}`);
    from.transport.send(from.envelope(named, { kind: 'BootstrapAnswer', empty: true, otherMembers: null }));
    await this.until(() => arrived('BootstrapAnswer'), `the last probe of ${from.id} to arrive at ${to.id}`);
    to.received = [];
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = clock.now() + WAIT_MAX_MS;
    while (!condition()) {
      ok(clock.now() < deadline, `waited ${WAIT_MAX_MS} ms for ${what}`);
      if (this.fixture.settle) await this.fixture.settle();
      else await new Promise<void>((resolve) => clock.setTimer(1, resolve));
    }
  }

  async close(): Promise<void> {
    for (const replica of this.#replicas) await replica.close();
  }
}

export class Replica implements Peer {
  readonly identity: TransportIdentity;
  readonly transport: Transport;
  received: Envelope[] = [];
  readonly events: TransportEvent[] = [];

  constructor(identity: TransportIdentity, transport: Transport) {
    this.identity = identity;
    this.transport = transport;
  }

  get id(): NodeId {
    return this.identity.id;
  }

  get incarnation(): Incarnation {
    return this.identity.incarnation;
  }

  get address(): string {
    return this.transport.address;
  }

  know(peers: readonly Peer[]): void {
    this.transport.setPeers(peers.map(({ id, incarnation, address }) => ({ id, incarnation, address })));
  }

  envelope({ id, incarnation }: Envelope['to'], message: Message): Envelope {
    const { clusterId, boot } = this.identity;
    return {
      clusterId,
      group: 'default',
      from: { id: this.id, incarnation: this.incarnation, boot },
      to: { id, incarnation },
      message,
    };
  }

  async close(): Promise<void> {
    await this.transport.close();
  }
}

export function identityOf(id: NodeId, incarnation: Incarnation = '00000000000000aa'): TransportIdentity {
  return { id, incarnation, boot: 1, clusterId: 'c0c0c0c0c0c0c0c0' };
}

export function endOfTurn(): Promise<void> {
  return new Promise((resolve) => clock.endOfTurn(resolve));
}

const clock = nodeClock();
const WAIT_MAX_MS = 10_000;
