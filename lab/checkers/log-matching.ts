import type { LogFloor, WriteEffect } from '../../src/raft/effect.ts';
import type { Entry, Index, Term } from '../../src/raft/entry.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';
import { entryDigest } from './entry-digest.ts';
import { LogTerms } from './log-terms.ts';
import { ReplicaBooks } from './replica-book.ts';

interface KnownEntry {
  readonly term: Term;
  readonly previousTerm: Term;
  readonly digest: number;
  readonly firstWriter: NodeId;
  sharedByOthers: boolean;
}

/**
 * Every entry ever written is remembered under (index, term), with what it says and the term before it.
 * If each (index, term) has one content and one predecessor, then two logs that share an entry are alike
 * all the way down, by induction; so whole logs never need comparing.
 *
 * An entry that its only writer lost in a crash was never part of a log, and is forgotten: the same place
 * may be written anew (a bootstrap that crashed before its first sync does).
 *
 * Does not check: contents that the disk changed after they were written (state-machine-safety does, when
 * they are applied), and what a snapshot replaced.
 */
export class LogMatching implements Checker {
  readonly name = 'log-matching';
  readonly property =
    'Two logs that hold an entry of the same index and term are identical up to it (paper 5.3).';
  readonly #books = new ReplicaBooks();
  /** By index. */
  readonly #known: KnownEntry[][] = [];

  observe(world: WorldObservation): Violation | null {
    if (world.kind !== 'replica') return null;
    const { observation, replica, atMs } = world;
    let sentence: string | null = null;
    if (observation.kind === 'opened') {
      const recovered = new LogTerms(observation.recovered);
      // What is missing may be given back, or be held by others.
      if (observation.recovered.damage === null) this.#forgetLost(replica, recovered);
      sentence = this.#checkRecovered(replica, recovered);
    } else if (observation.kind === 'write') {
      sentence = this.#checkWrite(replica, observation.write);
    }
    this.#books.observe(world);
    return sentence === null ? null : { checker: this.name, sentence, atMs };
  }

  finish(): Violation | null {
    return null;
  }

  #checkWrite(replica: NodeId, { cutFrom, entries, floor }: WriteEffect): string | null {
    const log = this.#books.of(replica)?.issued;
    if (!log) return `${replica} wrote before it opened its storage`;
    if (floor) return this.#checkFloor(replica, floor);
    let end = log.lastIndex;
    if (cutFrom !== undefined) end = Math.min(end, cutFrom - 1);
    let previousTerm = log.termAt(end) ?? 0;
    for (const entry of entries) {
      if (entry.index !== end + 1) {
        return `${replica} wrote entry ${entry.index} after the end of its log at ${end}`;
      }
      const sentence = this.#checkEntry(replica, entry, previousTerm);
      if (sentence !== null) return sentence;
      previousTerm = entry.term;
      end += 1;
    }
    return null;
  }

  /** A log may begin after an entry that somebody wrote; entry (0, 0) is before all. */
  #checkFloor(replica: NodeId, { index, term }: LogFloor): string | null {
    if (index === 0 || this.#find(index, term)) return null;
    return `${replica} lets its log begin after entry ${index} of term ${term}, which nobody ever wrote`;
  }

  #checkEntry(replica: NodeId, entry: Entry, previousTerm: Term): string | null {
    const { index, term } = entry;
    if (term < previousTerm) {
      return `${replica} wrote entry ${index} of term ${term} after an entry of term ${previousTerm}`;
    }
    const digest = entryDigest(entry);
    const known = this.#find(index, term);
    if (!known) {
      let there = this.#known[index];
      if (!there) {
        there = [];
        this.#known[index] = there;
      }
      there.push({ term, previousTerm, digest, firstWriter: replica, sharedByOthers: false });
      return null;
    }
    const both = `${replica} and ${known.firstWriter} both hold entry ${index} of term ${term}`;
    if (known.digest !== digest) return `${both}, but with different contents`;
    if (known.previousTerm !== previousTerm) {
      return `${both}, but entry ${index - 1} before it is of term ${previousTerm} on ${replica} and of term ${known.previousTerm} on ${known.firstWriter}`;
    }
    if (known.firstWriter !== replica) known.sharedByOthers = true;
    return null;
  }

  #checkRecovered(replica: NodeId, recovered: LogTerms): string | null {
    let previousTerm = recovered.floorTerm;
    for (let index = recovered.floorIndex + 1; index <= recovered.lastIndex; index += 1) {
      const term = recovered.termAt(index) ?? 0;
      const known = this.#find(index, term);
      if (known && known.previousTerm !== previousTerm) {
        return `${replica} recovered entry ${index} of term ${term} behind an entry of term ${previousTerm}, but it was written behind one of term ${known.previousTerm}`;
      }
      previousTerm = term;
    }
    return null;
  }

  /** What was issued and did not survive, and that nobody else has written. */
  #forgetLost(replica: NodeId, recovered: LogTerms): void {
    const issued = this.#books.of(replica)?.issued;
    if (!issued) return;
    const firstLost = issued.firstDifference(recovered, issued.lastIndex);
    for (let index = firstLost ?? issued.lastIndex + 1; index <= issued.lastIndex; index += 1) {
      const term = issued.termAt(index);
      if (recovered.termAt(index) === term) continue;
      const there = this.#known[index] ?? [];
      const at = there.findIndex((known) => known.term === term);
      const known = there[at];
      if (known && !known.sharedByOthers && known.firstWriter === replica) there.splice(at, 1);
    }
  }

  #find(index: Index, term: Term): KnownEntry | null {
    return this.#known[index]?.find((known) => known.term === term) ?? null;
  }
}
