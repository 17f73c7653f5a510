import type { Clock, TimerHandle } from '../doors/clock.ts';
import type { Configuration } from '../raft/configuration.ts';
import type { Incarnation, NodeId, ReplicaId } from '../raft/identity.ts';
import type { BootstrapAnswer, BootstrapMember, Envelope, Message } from '../raft/message.ts';

const ASK_EVERY_MS = 200;

/** What keeps a cluster from being founded. */
export interface BootstrapWaiting {
  /** Members that have not answered. Empty where another replica founds. */
  readonly unanswered: readonly NodeId[];
  /** Members that are part of something already, or were told to join something. */
  readonly notEmpty: readonly NodeId[];
  /** This replica's own list. */
  readonly members: readonly BootstrapMember[];
  /** Who was given another list, and which. Nothing is founded before all lists are the same. */
  readonly differing: readonly DifferingList[];
}

export interface DifferingList {
  readonly id: NodeId;
  readonly members: readonly BootstrapMember[];
}

/** The same members at the same addresses in the same order. */
export function sameList(a: readonly BootstrapMember[], b: readonly BootstrapMember[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ id, address }, position) => id === b[position]?.id && address === b[position]?.address)
  );
}

/**
 * The first listed member asks all the others until *every one* has answered that it is empty and was given
 * the same list, and only then founds the cluster. A majority would not do: a member that does not answer may
 * hold the cluster that this (emptied) disk once belonged to, and two clusters would run under one set of
 * flags. Nor would lists that differ: each of two founders could count the others as its own.
 */
export class Bootstrap {
  readonly #members: readonly BootstrapMember[];
  readonly #self: ReplicaId;
  readonly #clock: Clock;
  readonly #actions: BootstrapActions;
  readonly #empty = new Map<NodeId, Incarnation>();
  readonly #notEmpty = new Set<NodeId>();
  #timer: TimerHandle | null = null;

  constructor(members: readonly BootstrapMember[], self: ReplicaId, clock: Clock, actions: BootstrapActions) {
    this.#members = members;
    this.#self = self;
    this.#clock = clock;
    this.#actions = actions;
  }

  start(): void {
    if (this.#foundIfAllAgree()) return;
    this.#actions.changed();
    for (const { id } of this.#others()) {
      if (!this.#empty.has(id)) this.#actions.send(id, { kind: 'BootstrapQuery', members: this.#members });
    }
    this.#timer = this.#clock.setTimer(ASK_EVERY_MS, () => this.start());
  }

  stop(): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  onAnswer(envelope: Envelope, { empty, otherMembers }: BootstrapAnswer): void {
    const { id, incarnation } = envelope.from;
    if (this.#timer === null || !this.#others().some((member) => member.id === id)) return;
    this.#empty.delete(id);
    this.#notEmpty.delete(id);
    if (!empty) this.#notEmpty.add(id);
    else if (otherMembers === null) this.#empty.set(id, incarnation);
    if (this.#foundIfAllAgree()) this.stop();
  }

  /** Who has not answered, or not that it is empty, or has another list. */
  waitingFor(differing: readonly DifferingList[]): Pick<BootstrapWaiting, 'unanswered' | 'notEmpty'> {
    const others = this.#others().map(({ id }) => id);
    const answered = (id: NodeId): boolean =>
      this.#empty.has(id) || this.#notEmpty.has(id) || differing.some((list) => list.id === id);
    return {
      unanswered: others.filter((id) => !answered(id)),
      notEmpty: others.filter((id) => this.#notEmpty.has(id)),
    };
  }

  #foundIfAllAgree(): boolean {
    if (!this.#actions.listsAgree() || this.#others().some(({ id }) => !this.#empty.has(id))) return false;
    const voters = this.#members.map(({ id, address }) => ({
      id,
      address,
      incarnation: id === this.#self.id ? this.#self.incarnation : (this.#empty.get(id) ?? ''),
    }));
    this.#actions.found({ id: '1.1', voters, outgoing: [], learners: [], retired: [] });
    return true;
  }

  #others(): BootstrapMember[] {
    return this.#members.filter(({ id }) => id !== this.#self.id);
  }
}

export interface BootstrapActions {
  send(to: NodeId, message: Message): void;
  found(configuration: Configuration): void;
  /** False while somebody is known to have another list. */
  listsAgree(): boolean;
  /** What is waited for may have changed. */
  changed(): void;
}
