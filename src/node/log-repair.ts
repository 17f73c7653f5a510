import type { Clock } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import { members } from '../raft/configuration.ts';
import { envelopeOf } from '../raft/context.ts';
import type { MissingEntries } from '../raft/effect.ts';
import type { GroupId, NodeId } from '../raft/identity.ts';
import type { Envelope, RepairAnswer, RepairRequest } from '../raft/message.ts';
import type { CoveredDamage, LogDamage, LogHole } from '../storage/contract.ts';
import { RepairSource } from './repair-source.ts';
import { Repairer, type RepairFailure } from './repairer.ts';
import type { Session } from './session.ts';

/** What is missing of a replica's log, and how it comes back; docs/damage.md. */
export interface DamageStatus {
  /** What was found when the storage was opened; null when that was at an earlier opening. */
  readonly report: string | null;
  /** Not filled by peers; a leader's log may have overwritten them. */
  readonly holes: readonly LogHole[];
  /** Entries up to here may have been acknowledged, and not all of them are held. */
  readonly missing: MissingEntries | null;
  /** Peers are asked; false: what is missing comes with a leader's log. */
  readonly repairing: boolean;
  /** From peers, since the storage was opened. */
  readonly repairedEntries: number;
  /** Why the last request to a peer brought nothing. */
  readonly failures: readonly { readonly peer: NodeId; readonly reason: RepairFailure }[];
}

/** How a damaged log became whole. */
export interface LogRepaired {
  /** What had been found; null when that was at an earlier opening. */
  readonly report: string | null;
  /** `leader`: peers did not have all of it, or it was the end of the log that was missing. */
  readonly by: 'peers' | 'leader';
  /** That peers gave. */
  readonly entries: number;
  /** Those who gave them. */
  readonly peers: readonly NodeId[];
}

export interface LogRepairSettings {
  readonly group: GroupId;
  readonly clock: Clock;
  readonly random: Random;
}

/** What the replica's loop does for it. */
export interface LogRepairActions {
  input(give: (now: number) => void): void;
  send(envelope: Envelope): void;
  /** Whom this replica knows of besides the members of its configuration. */
  others(): readonly { readonly id: NodeId }[];
  found(damage: LogDamage): void;
  covered(covered: CoveredDamage): void;
  gained(count: number): void;
  repaired(how: LogRepaired): void;
  storageFailed(error: unknown): void;
}

/**
 * What a session does about damaged logs: it repairs its own from the others, gives them what theirs lack, and tells
 * what is found and when it is over. What a replica may say and do meanwhile is the core's.
 */
export class LogRepair {
  readonly #session: Session;
  readonly #settings: LogRepairSettings;
  readonly #actions: LogRepairActions;
  readonly #source: RepairSource;
  readonly #repairer: Repairer;
  readonly #givers = new Set<NodeId>();
  #gained = 0;
  #filled = false;
  #begun = false;
  /** The log was damaged when it was opened, and was not seen whole since. */
  #isDamaged: boolean;

  constructor(session: Session, settings: LogRepairSettings, actions: LogRepairActions) {
    const { self, log, core } = session;
    this.#session = session;
    this.#settings = settings;
    this.#actions = actions;
    this.#isDamaged = log.recovered.damage !== null || log.recovered.hardState.missing !== undefined;
    this.#source = new RepairSource(log, core.state, core.state.options.messageBytesMax, {
      send: (to, answer) => this.#send(to, answer),
      storageFailed: (error) => actions.storageFailed(error),
    });
    const { clock, random } = settings;
    this.#repairer = new Repairer(
      { self, log, state: core.state, clock, random, peers: () => this.#peers() },
      {
        send: (id, request) => this.#send({ id, incarnation: null }, request),
        gained: (from, count) => {
          this.#gained += count;
          this.#givers.add(from);
          actions.gained(count);
        },
        repaired: (whole) => {
          this.#filled = true;
          actions.input((now) => core.repaired(now, whole));
        },
        abandoned: () => actions.input((now) => core.repairAbandoned(now)),
        storageFailed: (error) => actions.storageFailed(error),
      },
    );
  }

  /** null for a log that is whole. */
  get damage(): DamageStatus | null {
    if (!this.#isDamaged) return null;
    const { state } = this.#session.core;
    return {
      report: this.#session.log.recovered.damage?.report ?? null,
      holes: this.#repairer.holes,
      missing: state.hardState.missing ?? null,
      repairing: state.repairing,
      repairedEntries: this.#gained,
      failures: [...this.#repairer.failures].map(([peer, reason]) => ({ peer, reason })),
    };
  }

  /** Called after every drain; the first time the peers' addresses are told. */
  look(): void {
    if (!this.#begun) this.#begin();
    if (!this.#isDamaged) return;
    if (this.#isIncomplete()) return;
    this.#isDamaged = false;
    this.#actions.repaired({
      report: this.#session.log.recovered.damage?.report ?? null,
      by: this.#filled ? 'peers' : 'leader',
      entries: this.#gained,
      peers: [...this.#givers],
    });
  }

  stop(): void {
    this.#source.stop();
    this.#repairer.stop();
  }

  /** @returns whether the envelope was about the repair of a log, and is done with. */
  receive(envelope: Envelope): boolean {
    const { from, message } = envelope;
    if (message.kind === 'RepairRequest') {
      if (this.#isForThis(envelope)) this.#source.receive(from, message);
      return true;
    }
    if (message.kind === 'RepairAnswer') {
      if (this.#isForThis(envelope)) this.#repairer.onAnswer(from.id, message);
      return true;
    }
    return false;
  }

  #begin(): void {
    this.#begun = true;
    const { damage, covered } = this.#session.log.recovered;
    if (covered !== undefined) this.#actions.covered(covered);
    if (damage !== null) this.#actions.found(damage);
    if (this.#isDamaged) this.#repairer.start();
  }

  /** It need not know which incarnation it speaks to: who has the anchor has the rest, whoever it is. */
  #isForThis({ clusterId, group, from, to }: Envelope): boolean {
    const { self, core } = this.#session;
    const isNamed = to.id === self.id && (to.incarnation === null || to.incarnation === self.incarnation);
    const isOfCluster = clusterId !== null && clusterId === core.state.clusterId;
    return isNamed && isOfCluster && group === this.#settings.group && from.id !== self.id;
  }

  /** What is written of it is durable, too. */
  #isIncomplete(): boolean {
    const { hardState, durable } = this.#session.core.state;
    return hardState.missing !== undefined || durable.hardState.missing !== undefined;
  }

  #peers(): NodeId[] {
    const { leader, configurations } = this.#session.core.state;
    // The one before as well: the latest may be known to this replica alone.
    const listed = configurations.slice(-2).flatMap(({ configuration }) => members(configuration));
    // The log that is left may name nobody.
    const { damage } = this.#session.log.recovered;
    const lastKnown = damage?.configuration === undefined ? [] : members(damage.configuration);
    const known = [...(leader === null ? [] : [leader]), ...listed, ...lastKnown, ...this.#actions.others()];
    const ids = new Set(known.map(({ id }) => id));
    ids.delete(this.#session.self.id);
    return [...ids];
  }

  #send(to: Envelope['to'], message: RepairRequest | RepairAnswer): void {
    this.#actions.send(envelopeOf(this.#session.core.state, to, message));
  }
}
