import type { Clock, TimerHandle } from '../doors/clock.ts';
import type { Configuration } from '../raft/configuration.ts';
import type { Incarnation, NodeId, ReplicaId } from '../raft/identity.ts';
import type { Envelope, Message } from '../raft/message.ts';
import type { BootstrapMember } from './options.ts';

const ASK_EVERY_MS = 200;

/** What keeps a bootstrap from being done. */
export interface BootstrapWaiting {
  /** Members that have not answered. */
  readonly unanswered: readonly NodeId[];
  /** Members that answered that they are part of something already. */
  readonly notEmpty: readonly NodeId[];
}

/**
 * The first listed member asks all the others until *every one* has answered that it is empty, and only
 * then founds the cluster. A majority would not do: a member that does not answer may hold the cluster
 * that this (emptied) disk once belonged to, and two clusters would run under one set of flags.
 */
export class Bootstrap {
  readonly #members: readonly BootstrapMember[];
  readonly #self: ReplicaId;
  readonly #clock: Clock;
  readonly #send: (to: NodeId, message: Message) => void;
  readonly #found: (configuration: Configuration) => void;
  readonly #tell: (waiting: BootstrapWaiting) => void;
  #told = '';
  readonly #empty = new Map<NodeId, Incarnation>();
  readonly #notEmpty = new Set<NodeId>();
  #timer: TimerHandle | null = null;

  constructor(
    members: readonly BootstrapMember[],
    self: ReplicaId,
    clock: Clock,
    actions: {
      send: (to: NodeId, message: Message) => void;
      found: (configuration: Configuration) => void;
      /** Called when what is waited for changed. */
      waiting: (waiting: BootstrapWaiting) => void;
    },
  ) {
    this.#members = members;
    this.#self = self;
    this.#clock = clock;
    this.#send = actions.send;
    this.#found = actions.found;
    this.#tell = actions.waiting;
  }

  start(): void {
    if (this.#foundIfAllEmpty()) return;
    this.#tellIfChanged();
    for (const { id } of this.#unanswered()) this.#send(id, { kind: 'BootstrapQuery' });
    this.#timer = this.#clock.setTimer(ASK_EVERY_MS, () => this.start());
  }

  stop(): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  onAnswer(envelope: Envelope, empty: boolean): void {
    const { id, incarnation } = envelope.from;
    if (this.#timer === null || !this.#others().some((member) => member.id === id)) return;
    if (empty) {
      this.#notEmpty.delete(id);
      this.#empty.set(id, incarnation);
    } else {
      this.#empty.delete(id);
      this.#notEmpty.add(id);
    }
    if (this.#foundIfAllEmpty()) this.stop();
  }

  get waiting(): BootstrapWaiting {
    return {
      unanswered: this.#unanswered()
        .map(({ id }) => id)
        .filter((id) => !this.#notEmpty.has(id)),
      notEmpty: this.#others()
        .map(({ id }) => id)
        .filter((id) => this.#notEmpty.has(id)),
    };
  }

  #foundIfAllEmpty(): boolean {
    if (this.#unanswered().length > 0) return false;
    const voters = this.#members.map(({ id, address }) => ({
      id,
      address,
      incarnation: id === this.#self.id ? this.#self.incarnation : (this.#empty.get(id) ?? ''),
    }));
    this.#found({ id: '1.1', voters, outgoing: [], learners: [], retired: [] });
    return true;
  }

  #tellIfChanged(): void {
    const { waiting } = this;
    const text = JSON.stringify(waiting);
    if (text !== this.#told) this.#tell(waiting);
    this.#told = text;
  }

  #others(): BootstrapMember[] {
    return this.#members.filter(({ id }) => id !== this.#self.id);
  }

  #unanswered(): BootstrapMember[] {
    return this.#others().filter(({ id }) => !this.#empty.has(id));
  }
}
