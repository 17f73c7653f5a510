import type { Clock } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import { isRaftMessage } from '../raft/admission.ts';
import type { Configuration, Metadata } from '../raft/configuration.ts';
import { envelopeOf } from '../raft/context.ts';
import type { ClusterId, GroupId, NodeId } from '../raft/identity.ts';
import type { BootstrapMember, BootstrapQuery, Envelope, JoinAnswer, Message } from '../raft/message.ts';
import type { PutAside } from '../storage/contract.ts';
import type { Peer, Transport } from '../transport/contract.ts';
import { Bootstrap, type BootstrapWaiting, type DifferingList, sameList } from './bootstrap.ts';
import { Joining } from './joining.ts';
import type { Session } from './session.ts';

export interface ClusterEntrySettings {
  readonly group: GroupId;
  readonly bootstrap: readonly BootstrapMember[] | null;
  /** Seeds of a cluster that is there already; null: it founds one, or is invited. */
  readonly join: readonly BootstrapMember[] | null;
  readonly address: string | null;
  readonly metadata: Metadata;
  readonly transport: Pick<Transport, 'setIdentity' | 'address'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** What the replica's loop does for it. */
export interface ClusterEntryActions {
  input(give: (now: number) => void): void;
  send(envelope: Envelope): void;
  waiting(waiting: BootstrapWaiting): void;
  joining(from: NodeId, answer: JoinAnswer): void;
  retired(): void;
  bootWentBack(): void;
  removed(): void;
  /** This storage began anew, and the replica is not let in again yet. Once. */
  putAside(aside: PutAside): void;
  hintsChanged(): void;
  storageFailed(error: unknown): void;
}

const ASKERS_MAX = 32;

/**
 * How a replica comes into a cluster: it founds one, as the first of its list, adopts the one that invites
 * it, or asks to be let in. It founds or adopts at most once, and from the moment it begins to, it tells
 * nobody any more that it is empty: otherwise two founders could each count the other as theirs.
 */
export class ClusterEntry {
  readonly #session: Session;
  readonly #settings: ClusterEntrySettings;
  readonly #actions: ClusterEntryActions;
  readonly #joining: Joining;
  #bootstrap: Bootstrap | null = null;
  #differing: DifferingList[] = [];
  #told = '';
  /** Founders that asked, at the address of their own list: this replica's may not have them. */
  #askers: readonly Peer[] = [];
  #hints: readonly Peer[] = [];
  #entering = false;
  #putAsideTold = false;
  #stopped = false;

  constructor(session: Session, settings: ClusterEntrySettings, actions: ClusterEntryActions) {
    this.#session = session;
    this.#settings = settings;
    this.#actions = actions;
    this.#joining = new Joining(
      session.core.state,
      {
        clock: settings.clock,
        metadata: settings.metadata,
        seeds: (settings.join ?? settings.bootstrap ?? []).filter(({ id }) => id !== session.self.id),
        address: () => settings.address ?? settings.transport.address,
      },
      {
        send: (to, message) => this.#send({ id: to, incarnation: null }, message),
        answered: (from, answer) => actions.joining(from, answer),
        retired: () => actions.retired(),
        bootWentBack: () => actions.bootWentBack(),
        removed: () => actions.removed(),
        hintsChanged: () => this.#setHints(),
      },
    );
  }

  /** null unless this replica waits for a cluster to be founded, and knows what keeps it from being so. */
  get waiting(): BootstrapWaiting | null {
    if (this.#bootstrap === null && this.#differing.length === 0) return null;
    return {
      members: this.#settings.bootstrap ?? [],
      ...(this.#bootstrap?.waitingFor(this.#differing) ?? { unanswered: [], notEmpty: [] }),
      differing: this.#differing,
    };
  }

  /** Whom else it has to reach; the same list until it changes. */
  get hints(): readonly Peer[] {
    return this.#hints;
  }

  start(): void {
    const { bootstrap: listed, join, clock } = this.#settings;
    const { self } = this.#session;
    this.#joining.look();
    if (this.#isReplacement()) return;
    if (listed === null || join !== null || listed[0]?.id !== self.id || !this.#logIsEmpty()) return;
    const bootstrap = new Bootstrap(listed, self, clock, {
      send: (to, message) => this.#send({ id: to, incarnation: null }, message),
      found: (configuration) => this.#found(configuration),
      listsAgree: () => this.#differing.length === 0,
      changed: () => this.#tellIfChanged(),
    });
    this.#bootstrap = bootstrap;
    bootstrap.start();
  }

  /** Called after every drain. */
  look(): void {
    const { putAside } = this.#session.instance.identity;
    if (putAside !== undefined && !this.#putAsideTold && this.#logIsEmpty()) this.#actions.putAside(putAside);
    this.#putAsideTold = true;
    this.#joining.look();
  }

  /** The session has ended: what was begun comes to nothing here, and goes on after the next open. */
  stop(): void {
    this.#stopped = true;
    this.#endBootstrap();
    this.#joining.stop();
  }

  /** @returns whether the envelope was about entering a cluster, and is done with. */
  receive(envelope: Envelope): boolean {
    const { message } = envelope;
    switch (message.kind) {
      case 'BootstrapQuery':
        this.#onQuery(envelope, message);
        return true;
      case 'BootstrapAnswer':
        if (message.otherMembers === null) this.#forgetList(envelope.from.id);
        else this.#noteList({ id: envelope.from.id, members: message.otherMembers });
        this.#bootstrap?.onAnswer(envelope, message);
        return true;
      case 'JoinAnswer':
        this.#joining.onAnswer(envelope, message);
        return true;
      case 'JoinRequest':
        // Whoever belongs nowhere lets nobody in.
        return this.#session.core.state.clusterId === null;
      default:
        if (envelope.clusterId === null || !this.#isInvitation(envelope)) return false;
        this.#adopt(envelope.clusterId);
        return true;
    }
  }

  #onQuery({ from }: Envelope, { members }: BootstrapQuery): void {
    const own = this.#settings.bootstrap;
    const differs = this.#belongsNowhere() && own !== null && !sameList(own, members);
    if (differs) this.#noteList({ id: from.id, members });
    else this.#forgetList(from.id);
    const address = members.find(({ id }) => id === from.id)?.address;
    if (address !== undefined) this.#noteAsker({ id: from.id, incarnation: from.incarnation, address });
    this.#send(from, {
      kind: 'BootstrapAnswer',
      empty: this.#isFree(),
      otherMembers: differs ? own : null,
    });
  }

  /**
   * It began in the place of a member whose promises were lost, and what that one had acknowledged is on the disks of
   * others, or put aside. Were it to found a cluster, or be one of the empty members that somebody founds one with, a
   * cluster of which every member was struck at once would come up again without anything in it.
   */
  #isReplacement(): boolean {
    return this.#session.instance.identity.putAside !== undefined;
  }

  /**
   * One that founds a cluster itself is not free for another: two lists with different heads wait. Nor is one
   * that was told to join: its operator means a cluster that is there already.
   */
  #isFree(): boolean {
    const { join } = this.#settings;
    if (this.#isReplacement()) return false;
    return this.#belongsNowhere() && !this.#entering && this.#bootstrap === null && join === null;
  }

  /**
   * Only somebody whose configuration lists this very incarnation can name it in a message of Raft's; so it
   * may be believed.
   */
  #isInvitation(envelope: Envelope): boolean {
    return (
      envelope.group === this.#settings.group &&
      envelope.to.incarnation === this.#session.self.incarnation &&
      isRaftMessage(envelope.message) &&
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
        this.#differing = [];
        this.#actions.input(give);
      },
      (error: unknown) => this.#actions.storageFailed(error),
    );
  }

  #send(to: Envelope['to'], message: Message): void {
    this.#actions.send(envelopeOf(this.#session.core.state, to, message));
  }

  #noteList(list: DifferingList): void {
    if (!this.#belongsNowhere()) return;
    this.#differing = [...this.#differing.filter(({ id }) => id !== list.id), list].slice(-ASKERS_MAX);
    this.#tellIfChanged();
  }

  #forgetList(id: NodeId): void {
    if (!this.#differing.some((list) => list.id === id)) return;
    this.#differing = this.#differing.filter((list) => list.id !== id);
    this.#tellIfChanged();
  }

  #noteAsker(asker: Peer): void {
    const known = this.#askers.find(({ id }) => id === asker.id);
    if (known?.incarnation === asker.incarnation && known.address === asker.address) return;
    this.#askers = [...this.#askers.filter(({ id }) => id !== asker.id), asker].slice(-ASKERS_MAX);
    this.#setHints();
  }

  #setHints(): void {
    this.#hints = [...this.#joining.hints, ...this.#askers];
    this.#actions.hintsChanged();
  }

  #tellIfChanged(): void {
    const { waiting } = this;
    const text = JSON.stringify(waiting);
    if (text !== this.#told && waiting !== null) this.#actions.waiting(waiting);
    this.#told = text;
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
