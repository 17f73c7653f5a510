import type { Entry, Index, Term } from '../raft/entry.ts';
import { OutcomeUnknown, ProposalDropped } from './errors.ts';

/** Somebody in this process who waits for an entry to be applied here. */
export interface Waiter {
  /** The entry was applied. `result` is what the state machine returned. */
  applied(result: unknown): void;
  failed(error: Error): void;
}

interface Registered {
  readonly index: Index;
  readonly term: Term;
  readonly waiter: Waiter;
}

/**
 * Who waits for which entry. An entry is named by (index, term): the same index may be proposed by this
 * replica again, in a later term, while the fate of the first is still open.
 */
export class PendingRequests {
  readonly #byIndex = new Map<Index, Registered>();
  /** Registered at an index that a later term of ours took again; nearly always empty. */
  #displaced: Registered[] = [];
  #lastAppliedTerm: Term = 0;

  /** Waiters filed here, those who gave up waiting included: their entries may still be applied. */
  get size(): number {
    return this.#byIndex.size + this.#displaced.length;
  }

  register(index: Index, term: Term, waiter: Waiter): void {
    const earlier = this.#byIndex.get(index);
    if (earlier !== undefined) this.#displaced.push(earlier);
    this.#byIndex.set(index, { index, term, waiter });
  }

  /**
   * An entry was applied, so it is committed. Whoever waits for it hears the result. Whoever waits for
   * an entry of a *lower* term at this index or above will never see it: terms never fall along a log, so
   * no log that holds this committed entry holds theirs, and every future leader's log holds this entry
   * (Leader Completeness, 5.4.3). Nor will whoever waits for another entry at this very index, be it of a
   * *higher* term: a log holds one entry at an index, and a later leader that never saw theirs may have
   * committed this older one. Nothing less proves a proposal dropped.
   */
  onApplied(entry: Entry, result: unknown): void {
    if (entry.term > this.#lastAppliedTerm) {
      this.#lastAppliedTerm = entry.term;
      this.#dropExcludedBy(entry);
    }
    const registered = this.#byIndex.get(entry.index);
    if (registered === undefined) return;
    if (registered.term !== entry.term) {
      this.#drop(entry, ({ index }) => index === entry.index);
      return;
    }
    this.#byIndex.delete(entry.index);
    registered.waiter.applied(result);
  }

  /**
   * The state machine was restored from a snapshot whose last entry is `last`. What it covers was applied
   * elsewhere, or overwritten; its results are not known here.
   */
  onRestored(last: { readonly index: Index; readonly term: Term }): void {
    if (last.term > this.#lastAppliedTerm) {
      this.#lastAppliedTerm = last.term;
      this.#dropExcludedBy(last);
    }
    const why = `a snapshot up to entry ${last.index} took the place of applying it here`;
    this.#leaveInDoubt((registered) => registered.index <= last.index, why);
  }

  /** Nothing more will be learnt here. */
  failAll(why: string, cause?: unknown): void {
    this.#leaveInDoubt(() => true, why, cause);
  }

  #leaveInDoubt(concerns: (registered: Registered) => boolean, why: string, cause?: unknown): void {
    for (const { waiter } of this.#remove(concerns)) {
      waiter.failed(new OutcomeUnknown(`the command may or may not be applied: ${why}`, { cause }));
    }
  }

  #remove(concerns: (registered: Registered) => boolean): Registered[] {
    const removed = [...this.#byIndex.values(), ...this.#displaced].filter(concerns);
    this.#displaced = this.#displaced.filter((registered) => !concerns(registered));
    for (const registered of removed) {
      if (this.#byIndex.get(registered.index) === registered) this.#byIndex.delete(registered.index);
    }
    return removed;
  }

  #dropExcludedBy(entry: { readonly index: Index; readonly term: Term }): void {
    this.#drop(entry, ({ index, term }) => index >= entry.index && term < entry.term);
  }

  #drop(
    entry: { readonly index: Index; readonly term: Term },
    excluded: (registered: Registered) => boolean,
  ): void {
    for (const registered of this.#remove(excluded)) {
      const why = `entry ${entry.index} of term ${entry.term} was committed instead`;
      registered.waiter.failed(new ProposalDropped(`the command will never be applied: ${why}`));
    }
  }
}
