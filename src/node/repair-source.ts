import type { Entry } from '../raft/entry.ts';
import type { NodeId, ReplicaId } from '../raft/identity.ts';
import type { RepairAnswer, RepairRefusal, RepairRequest } from '../raft/message.ts';
import type { RaftState } from '../raft/state.ts';
import type { LogStorage } from '../storage/contract.ts';
import { EntriesGone } from '../storage/errors.ts';

/** Entries looked through for one answer, however small they are. */
const ENTRIES_MAX = 4096;
/** Answers under way, to all peers together. */
const UNDER_WAY_MAX = 8;

export interface RepairSourceActions {
  send(to: ReplicaId, answer: RepairAnswer): void;
  storageFailed(error: unknown): void;
}

/**
 * Gives other replicas the entries that their disks lost, whatever the role of this one, and even while its own log is
 * damaged. One request of a peer at a time, the rest is dropped: who gets no answer asks somebody else, or again.
 */
export class RepairSource {
  readonly #log: Pick<LogStorage, 'read' | 'termAt'>;
  readonly #state: { readonly log: Pick<RaftState['log'], 'floorIndex'> };
  readonly #bytesMax: number;
  readonly #actions: RepairSourceActions;
  readonly #underWay = new Set<NodeId>();
  #stopped = false;

  /** @param bytesMax - of entries in one answer, whatever is asked for. */
  constructor(
    log: Pick<LogStorage, 'read' | 'termAt'>,
    state: { readonly log: Pick<RaftState['log'], 'floorIndex'> },
    bytesMax: number,
    actions: RepairSourceActions,
  ) {
    this.#log = log;
    this.#state = state;
    this.#bytesMax = bytesMax;
    this.#actions = actions;
  }

  receive(from: ReplicaId, request: RepairRequest): void {
    if (this.#underWay.has(from.id) || this.#underWay.size >= UNDER_WAY_MAX || !isSound(request)) return;
    this.#underWay.add(from.id);
    this.#answer(request).then(
      (answer) => {
        this.#underWay.delete(from.id);
        if (!this.#stopped) this.#actions.send(from, answer);
      },
      (error: unknown) => {
        this.#underWay.delete(from.id);
        if (!this.#stopped) this.#actions.storageFailed(error);
      },
    );
  }

  stop(): void {
    this.#stopped = true;
  }

  async #answer(request: RepairRequest): Promise<RepairAnswer> {
    const { requestId } = request;
    const before = this.#refusal(request);
    const entries = before === null ? await this.#readEnd(request) : [];
    // While they were read the log may have been cut and written anew. What is in it now, by index and term, is what
    // was read: no two entries share both.
    const isHeld = entries.length > 0 && entries.every(({ index, term }) => this.#log.termAt(index) === term);
    const reason = before ?? this.#refusal(request) ?? (isHeld ? null : 'not-held');
    return reason === null
      ? { kind: 'RepairAnswer', requestId, held: true, entries }
      : { kind: 'RepairAnswer', requestId, held: false, reason };
  }

  #refusal({ to, anchor }: RepairRequest): RepairRefusal | null {
    if (to <= this.#state.log.floorIndex) return 'compacted';
    return this.#log.termAt(anchor.index) === anchor.term && this.#log.termAt(to) !== null
      ? null
      : 'not-held';
  }

  /**
   * As many entries that end at `to` as fit. The storage reads forward, so how many that are is guessed: as many as
   * the last try began with, but at most half of them. Empty when they are gone.
   */
  async #readEnd({ from, to, bytesMax }: RepairRequest): Promise<Entry[]> {
    let count = this.#heldBefore({ from, to });
    while (count > 0) {
      const range = { from: to - count + 1, to, bytesMax: Math.min(bytesMax, this.#bytesMax) };
      let entries: Entry[];
      try {
        entries = await this.#log.read(range);
      } catch (error) {
        if (error instanceof EntriesGone) return [];
        throw error;
      }
      if (entries.at(-1)?.index === to) return entries;
      if (this.#stopped) return [];
      count = Math.min(entries.length, count >> 1);
    }
    return [];
  }

  /** How many entries in a row that end at `to` are held: this log may have holes too. */
  #heldBefore({ from, to }: { readonly from: number; readonly to: number }): number {
    const least = Math.max(from, this.#state.log.floorIndex + 1, to - ENTRIES_MAX + 1);
    let first = to;
    while (first > least && this.#log.termAt(first - 1) !== null) first -= 1;
    return to - first + 1;
  }
}

function isSound({ from, to, anchor, bytesMax }: RepairRequest): boolean {
  const inOrder = from > 0 && from <= to && to <= anchor.index;
  return inOrder && bytesMax > 0 && [from, to, anchor.index].every(Number.isSafeInteger);
}
