import type { Clock, TimerHandle } from '../doors/clock.ts';
import type { Random } from '../doors/random.ts';
import { type Entry, entryBytes } from '../raft/entry.ts';
import type { NodeId, ReplicaId } from '../raft/identity.ts';
import type { RepairAnswer, RepairRefusal, RepairRequest } from '../raft/message.ts';
import type { RaftState } from '../raft/state.ts';
import type { LogHole, LogStorage, RecoveredLog } from '../storage/contract.ts';
import { fillsEnd } from './hole-filling.ts';

/** What the last answer of a peer was worth. */
export type RepairFailure = RepairRefusal | 'no-answer' | 'wrong-answer';

/** Requests whose answers are still waited for: enough for rounds of many peers, each of which is slow. */
const ASKED_MAX = 256;

export interface RepairerSettings {
  readonly self: ReplicaId;
  readonly log: Pick<LogStorage, 'recovered' | 'repair' | 'termAt'>;
  readonly state: Pick<RaftState, 'repairing' | 'leader' | 'clusterId' | 'options' | 'stall'>;
  readonly clock: Clock;
  readonly random: Random;
  /** Who may hold what is missing, at this moment. */
  peers(): readonly NodeId[];
}

export interface RepairerActions {
  send(to: NodeId, request: RepairRequest): void;
  /** Entries of a peer are durable here. */
  gained(from: NodeId, count: number): void;
  /** Nothing is missing any more. */
  repaired(log: RecoveredLog): void;
  /** Nobody who answers has it, and the leader is one of them. */
  abandoned(): void;
  storageFailed(error: unknown): void;
}

/**
 * Fills the holes of a log from other replicas, the last hole first and each from its end to its beginning: so the log
 * before the first hole, which the core works with, stays what it is until all of it is held. It asks one peer after
 * another, the one that gave something last first, and goes on for ever while nothing else helps: what is missing may
 * have been acknowledged, and whoever has it may be away. Only where there is a leader, and it says that it does not
 * have it either, is all from the first hole on left to the leader's log.
 *
 * While the disk is nearly full it waits as well, once it has written what can be spared.
 */
export class Repairer {
  readonly #settings: RepairerSettings;
  readonly #actions: RepairerActions;
  #holes: readonly LogHole[];
  /** Not asked yet in this round. */
  #left: NodeId[] = [];
  /**
   * Whom, by the number of the request, for the present end of the hole; the latest. Late answers are as good as others,
   * be they of an earlier round: a slow disk must not be asked in vain for ever.
   */
  readonly #asked = new Map<number, NodeId>();
  /** Who said in this round that it does not have it. */
  readonly #withoutIt = new Set<NodeId>();
  readonly #failures = new Map<NodeId, RepairFailure>();
  #lastSequence = 0;
  /** The request whose answer, or time, moves the round on; null between two rounds. */
  #awaited: number | null = null;
  #lastGiver: NodeId | null = null;
  /** Of entries, written since the disk is nearly full. */
  #bytesSpent = 0;
  #timer: TimerHandle | null = null;
  #ended = false;

  constructor(settings: RepairerSettings, actions: RepairerActions) {
    this.#settings = settings;
    this.#actions = actions;
    this.#holes = settings.log.recovered.damage?.holes ?? [];
  }

  /** What is still missing. */
  get holes(): readonly LogHole[] {
    return this.#holes;
  }

  /** Why the last request to a peer brought nothing, by peer. */
  get failures(): ReadonlyMap<NodeId, RepairFailure> {
    return this.#failures;
  }

  start(): void {
    if (this.#holes.length > 0) this.#beginRound();
  }

  stop(): void {
    this.#ended = true;
    this.#disarm();
  }

  onAnswer(from: NodeId, answer: RepairAnswer): void {
    const { boot, sequence } = answer.requestId;
    if (this.#ended || boot !== this.#settings.self.boot || this.#asked.get(sequence) !== from) return;
    this.#asked.delete(sequence);
    if (!this.#settings.state.repairing) {
      this.stop();
      return;
    }
    if (answer.held && this.#fits(answer.entries)) {
      const bytes = answer.entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
      if (bytes <= this.#room()) {
        this.#bytesSpent += bytes;
        this.#write(from, answer.entries);
      } else this.#beginRoundLater();
      return;
    }
    if (!answer.held) this.#withoutIt.add(from);
    this.#failures.set(from, answer.held ? 'wrong-answer' : answer.reason);
    if (this.#awaited === null || this.#awaited === sequence) this.#askNext();
  }

  #beginRound(): void {
    this.#withoutIt.clear();
    const peers = this.#settings.peers();
    // Not everybody's first choice shall be the same.
    const first =
      this.#lastGiver !== null && peers.includes(this.#lastGiver)
        ? peers.indexOf(this.#lastGiver)
        : this.#settings.random.integer(0, Math.max(1, peers.length));
    this.#left = [...peers.slice(first), ...peers.slice(0, first)];
    this.#askNext();
  }

  #askNext(): void {
    this.#disarm();
    if (!this.#settings.state.repairing) {
      this.stop();
      return;
    }
    const peer = this.#left.shift();
    const hole = this.#holes.at(-1);
    if (peer === undefined || hole === undefined) {
      this.#endRound();
      return;
    }
    const { options } = this.#settings.state;
    const room = this.#room();
    if (room < 1) {
      this.#beginRoundLater();
      return;
    }
    this.#lastSequence += 1;
    this.#awaited = this.#lastSequence;
    this.#asked.set(this.#lastSequence, peer);
    this.#asked.delete(this.#lastSequence - ASKED_MAX);
    this.#arm(options.electionTimeoutMinMs, () => {
      this.#failures.set(peer, 'no-answer');
      this.#askNext();
    });
    this.#actions.send(peer, {
      kind: 'RepairRequest',
      requestId: { boot: this.#settings.self.boot, sequence: this.#lastSequence },
      from: hole.from,
      to: hole.to,
      anchor: hole.anchor,
      bytesMax: Math.min(options.messageBytesMax, room),
    });
  }

  #endRound(): void {
    const { state } = this.#settings;
    if (state.leader !== null && this.#withoutIt.has(state.leader.id)) {
      this.stop();
      this.#actions.abandoned();
      return;
    }
    this.#beginRoundLater();
  }

  #beginRoundLater(): void {
    const { state, random } = this.#settings;
    this.#disarm();
    this.#awaited = null;
    const { electionTimeoutMinMs, electionTimeoutMaxMs } = state.options;
    this.#arm(random.integer(electionTimeoutMinMs, electionTimeoutMaxMs), () => this.#beginRound());
  }

  /** How much may be written. */
  #room(): number {
    const { stall } = this.#settings.state;
    if (!stall.diskNearlyFull) this.#bytesSpent = 0;
    return stall.diskNearlyFull ? stall.spareBytes - this.#bytesSpent : Number.POSITIVE_INFINITY;
  }

  #write(from: NodeId, entries: readonly Entry[]): void {
    this.#disarm();
    this.#asked.clear();
    this.#failures.delete(from);
    this.#lastGiver = from;
    this.#settings.log.repair(entries).then(
      (log) => {
        if (!this.#ended) this.#onWritten(from, entries.length, log);
      },
      (error: unknown) => {
        if (this.#ended) return;
        this.stop();
        this.#actions.storageFailed(error);
      },
    );
  }

  /** @param log - what is missing now; null when the core wrote over the hole meanwhile. */
  #onWritten(from: NodeId, count: number, log: RecoveredLog | null): void {
    this.#holes = log?.damage?.holes ?? [];
    if (log !== null) this.#actions.gained(from, count);
    if (this.#holes.length > 0) {
      this.#beginRound();
      return;
    }
    this.stop();
    if (log !== null && log.damage === null) this.#actions.repaired(log);
  }

  #fits(entries: readonly Entry[]): boolean {
    const { log, state } = this.#settings;
    const hole = this.#holes.at(-1);
    if (hole === undefined) return false;
    const around = { termBefore: log.termAt(hole.from - 1) ?? 0, clusterId: state.clusterId };
    return fillsEnd(hole, entries, around);
  }

  #arm(delayMs: number, callback: () => void): void {
    this.#timer = this.#settings.clock.setTimer(delayMs, () => {
      this.#timer = null;
      if (!this.#ended) callback();
    });
  }

  #disarm(): void {
    if (this.#timer !== null) this.#settings.clock.clearTimer(this.#timer);
    this.#timer = null;
  }
}
