import type { Clock } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import type { Configuration } from '../raft/configuration.ts';
import type { ClusterId, GroupId, NodeId } from '../raft/identity.ts';
import type { Envelope, Message } from '../raft/message.ts';
import type { Transport } from '../transport/contract.ts';
import { Bootstrap, type BootstrapWaiting } from './bootstrap.ts';
import type { BootstrapMember } from './options.ts';
import type { Session } from './session.ts';

export interface ClusterEntrySettings {
  readonly group: GroupId;
  readonly bootstrap: readonly BootstrapMember[] | null;
  readonly transport: Pick<Transport, 'setPeers' | 'setIdentity'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** What the replica's loop does for it. */
export interface ClusterEntryActions {
  input(give: (now: number) => void): void;
  send(envelope: Envelope): void;
  waiting(waiting: BootstrapWaiting): void;
  storageFailed(error: unknown): void;
}

/**
 * How an empty replica comes into a cluster: it founds one, as the first of its list, or adopts the one
 * that invites it. It does one of these at most once, and from the moment it begins to, it tells nobody
 * any more that it is empty: otherwise two founders could each count the other as theirs.
 */
export class ClusterEntry {
  readonly #session: Session;
  readonly #settings: ClusterEntrySettings;
  readonly #actions: ClusterEntryActions;
  #bootstrap: Bootstrap | null = null;
  #entering = false;
  #stopped = false;

  constructor(session: Session, settings: ClusterEntrySettings, actions: ClusterEntryActions) {
    this.#session = session;
    this.#settings = settings;
    this.#actions = actions;
  }

  /** null unless this replica is trying to found its cluster. */
  get waiting(): BootstrapWaiting | null {
    return this.#bootstrap?.waiting ?? null;
  }

  start(): void {
    const { bootstrap: listed, clock, transport } = this.#settings;
    const { self } = this.#session;
    if (listed === null || !this.#logIsEmpty()) return;
    transport.setPeers(listed.filter(({ id }) => id !== self.id));
    if (listed[0]?.id !== self.id) return;
    this.#bootstrap = new Bootstrap(listed, self, clock, {
      send: (to, message) => this.#send(to, message),
      found: (configuration) => this.#found(configuration),
      waiting: (waiting) => this.#actions.waiting(waiting),
    });
    this.#bootstrap.start();
  }

  /** The session has ended: what was begun comes to nothing here, and goes on after the next open. */
  stop(): void {
    this.#stopped = true;
    this.#endBootstrap();
  }

  /** @returns whether the envelope was about entering a cluster, and is done with. */
  receive(envelope: Envelope): boolean {
    const { message } = envelope;
    if (message.kind === 'BootstrapQuery') {
      this.#send(envelope.from.id, { kind: 'BootstrapAnswer', empty: this.#isFree() });
    } else if (message.kind === 'BootstrapAnswer') {
      this.#bootstrap?.onAnswer(envelope, message.empty);
    } else if (envelope.clusterId !== null && this.#isInvitation(envelope)) {
      this.#adopt(envelope.clusterId);
    } else {
      return false;
    }
    return true;
  }

  /** One that founds a cluster itself is not free for another: two lists with different heads wait. */
  #isFree(): boolean {
    return this.#belongsNowhere() && !this.#entering && this.#bootstrap === null;
  }

  /** Only somebody whose configuration lists this very incarnation can name it; so it may be believed. */
  #isInvitation(envelope: Envelope): boolean {
    return (
      envelope.group === this.#settings.group &&
      envelope.to.incarnation === this.#session.self.incarnation &&
      this.#belongsNowhere()
    );
  }

  #found(configuration: Configuration): void {
    this.#bootstrap = null;
    this.#entering = true;
    const { core, instance } = this.#session;
    const known = core.state.clusterId;
    const clusterId = known ?? Buffer.from(this.#settings.random.bytes(8)).toString('hex');
    // The cluster id first: entry 1 without it would be an entry of no cluster.
    const adopted = known === null ? instance.adoptCluster(clusterId) : Promise.resolve();
    this.#enter(adopted, clusterId, (now) => {
      core.adoptCluster(now, clusterId);
      core.bootstrap(now, clusterId, configuration);
    });
  }

  /** Messages that arrive before the cluster id is durable are lost; Raft sends them again. */
  #adopt(clusterId: ClusterId): void {
    if (this.#entering) return;
    this.#entering = true;
    this.#endBootstrap();
    const { core, instance } = this.#session;
    this.#enter(instance.adoptCluster(clusterId), clusterId, (now) => core.adoptCluster(now, clusterId));
  }

  #enter(durable: Promise<void>, clusterId: ClusterId, give: (now: number) => void): void {
    durable.then(
      () => {
        if (this.#stopped) return;
        this.#settings.transport.setIdentity({ ...this.#session.self, clusterId });
        this.#actions.input(give);
      },
      (error: unknown) => this.#actions.storageFailed(error),
    );
  }

  #send(to: NodeId, message: Message): void {
    this.#actions.send({
      clusterId: this.#session.core.state.clusterId,
      group: this.#settings.group,
      from: this.#session.self,
      to: { id: to, incarnation: null },
      message,
    });
  }

  #endBootstrap(): void {
    this.#bootstrap?.stop();
    this.#bootstrap = null;
  }

  #belongsNowhere(): boolean {
    return this.#session.core.state.clusterId === null && this.#logIsEmpty();
  }

  #logIsEmpty(): boolean {
    const { log, hardState } = this.#session.core.state;
    return log.lastIndex === 0 && log.floorIndex === 0 && hardState.term === 0;
  }
}
