import type { LogTerms } from './log-terms.ts';
import { type PendingWrite, replay } from './pending-write.ts';

/** One log of a disk that may be damaged: what of it is held up to the first thing that is missing, and all of it. */
export class PossibleLog {
  readonly persisted: LogTerms;
  promised: LogTerms;

  constructor(persisted: LogTerms, promised: LogTerms) {
    this.persisted = persisted;
    this.promised = promised;
  }

  /** What begins at or before something missing takes its place, and that of all that follows. */
  write(write: PendingWrite): void {
    const { cutFrom, terms, floor } = write;
    const isWhole = this.promised === this.persisted;
    const replaces =
      cutFrom !== null ||
      terms.length > 0 ||
      (floor !== null && this.persisted.termAt(floor.index) !== floor.term);
    replay(write, this.persisted);
    if (isWhole || replaces) this.promised = this.persisted;
    else replay(write, this.promised);
  }
}
