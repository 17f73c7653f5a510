import type { Raft } from '../raft/raft.ts';
import type { StorageSpace } from '../storage/contract.ts';
import type { RaftNodeEvents } from './events.ts';

export interface DiskSpaceActions {
  input(give: (now: number, core: Raft) => void): void;
  nearlyFull(event: RaftNodeEvents['disk-nearly-full'][0]): void;
  hasSpace(space: StorageSpace): void;
  /** Whether anybody can listen: the node is open, and has not stopped. */
  isHeard(): boolean;
}

/** What the storage says of its space: for the core, each session's anew, and for whoever listens, when it changes. */
export class DiskSpace {
  readonly #actions: DiskSpaceActions;
  #last: StorageSpace | null = null;
  /** Whether the last event about it said so. */
  #nearlyFullTold = false;

  constructor(actions: DiskSpaceActions) {
    this.#actions = actions;
  }

  /** null: it has said nothing. */
  get last(): StorageSpace | null {
    return this.#last;
  }

  /** Also while the storage is being opened: what it says holds for the session that begins then. */
  note(space: StorageSpace): void {
    const before = this.#last;
    this.#last = space;
    if (space.nearlyFull === (before?.nearlyFull ?? false)) return;
    this.tellCore();
    if (this.#actions.isHeard()) this.announce();
  }

  /** With each drain too, the first of which makes up for what was said while the node was being opened. */
  announce(): void {
    const space = this.#last;
    if (space === null || space.nearlyFull === this.#nearlyFullTold) return;
    this.#nearlyFullTold = space.nearlyFull;
    if (space.nearlyFull) this.#actions.nearlyFull({ ...space, report: describeShortage(space) });
    else this.#actions.hasSpace(space);
  }

  /** The one that runs; and that of each session that begins. */
  tellCore(): void {
    const space = this.#last;
    if (space === null) return;
    this.#actions.input((now, core) => {
      if (space.nearlyFull) core.diskNearlyFull(now, spareOf(space));
      else core.diskHasSpace(now);
    });
  }
}

/** What is wrong and what to do, for an operator. */
function describeShortage({ directory, freeBytes, reserveBytes, enoughBytes }: StorageSpace): string {
  return (
    `the disk of ${directory} is nearly full: ${freeBytes} bytes are free, and ${reserveBytes} are kept in reserve. ` +
    'This replica takes no entries, and leads only where nobody else can, until ' +
    `${enoughBytes} are free; it loses nothing. Remove what is not needed there, enlarge the disk, or take snapshots ` +
    'more often'
  );
}

/**
 * What may go for entries that a new leader needs: a quarter of the reserve, as the rest is for what must be written in
 * any case. Where less is left, a quarter of that: each opening of the storage begins to count anew.
 */
export function spareOf({ freeBytes, reserveBytes }: StorageSpace): number {
  return Math.floor(Math.min(freeBytes, reserveBytes) / 4);
}
