import type { Clock, TimerHandle } from '../../doors/clock.ts';
import type { Disk } from '../../doors/disk.ts';
import type { GroupId } from '../../raft/identity.ts';
import { SlotFile } from './slot-file.ts';

const IDLE_MS = 10;

/** What is known durable of one group: it was acknowledged. */
export interface Mark {
  /** The highest block. */
  readonly durableNumber: number;
  /** The lowest block that the floor left alive; 0 when there was no floor. */
  readonly lowestNumber: number;
}

const noMark: Mark = { durableNumber: 0, lowestNumber: 0 };

/**
 * What of each group was acknowledged. It is written after each acknowledgement and
 * nobody waits for it; it is synced once nothing was acknowledged for a while, and on close. So it is
 * exact after a killed process, and at most a moment old after a power cut: that is what tells a lost
 * tail from one that never was. Two slots a group take turns, since one may be torn.
 */
export class MarkFile {
  readonly #file: SlotFile;
  readonly #clock: Clock;
  readonly #onFailed: (error: unknown) => void;
  readonly #places = new Map<GroupId, number>();
  readonly #marks = new Map<GroupId, Mark>();
  readonly #unwritten = new Set<GroupId>();
  /** Marks that will be set next, if all goes well, as they stand in the file. */
  readonly #prepared = new Map<GroupId, { readonly mark: Mark; readonly bytes: Buffer }>();
  /** Which of its two slots each group wrote last, 0 or 1. */
  readonly #turns = new Map<GroupId, number>();
  #nextPlace = 0;
  #writing: Promise<void> | null = null;
  #written = false;
  #timer: TimerHandle | null = null;
  #closed = false;

  private constructor(file: SlotFile, clock: Clock, onFailed: (error: unknown) => void) {
    this.#file = file;
    this.#clock = clock;
    this.#onFailed = onFailed;
  }

  static async open(
    disk: Disk,
    path: string,
    seed: number,
    doors: { readonly clock: Clock; readonly onFailed: (error: unknown) => void },
  ): Promise<MarkFile> {
    const file = await SlotFile.open(disk, path, seed);
    const marks = new MarkFile(file, doors.clock, doors.onFailed);
    const records = await file.readAll();
    marks.#nextPlace = records.length + (records.length % 2);
    for (const [slot, record] of records.entries()) {
      if (record.kind !== 'value') continue;
      const { group, durableNumber, lowestNumber } = record.value as Mark & { readonly group: GroupId };
      marks.#places.set(group, slot - (slot % 2));
      const other = marks.find(group);
      if (durableNumber < other.durableNumber || lowestNumber < other.lowestNumber) continue;
      marks.#marks.set(group, { durableNumber, lowestNumber });
      marks.#turns.set(group, slot % 2);
    }
    return marks;
  }

  get groups(): GroupId[] {
    return [...this.#marks.keys()];
  }

  /** All zero when nothing is known. */
  find(group: GroupId): Mark {
    return this.#marks.get(group) ?? noMark;
  }

  /** Neither number ever goes back. */
  set(group: GroupId, moved: Partial<Mark>): void {
    const known = this.find(group);
    // Field by field, since it is done for every block: two spread objects take three times as long.
    this.#marks.set(group, {
      durableNumber: moved.durableNumber ?? known.durableNumber,
      lowestNumber: moved.lowestNumber ?? known.lowestNumber,
    });
    this.#unwritten.add(group);
    this.#write();
    this.#timer ??= this.#clock.setTimer(IDLE_MS, () => this.#onIdle());
  }

  /** Encodes a mark while the disk is at work for it, so that it only has to be written once it is set. */
  prepare(group: GroupId, durableNumber: number): void {
    const mark = { durableNumber, lowestNumber: this.find(group).lowestNumber };
    this.#prepared.set(group, { mark, bytes: this.#encode(group, mark) });
  }

  /** All that was set is durable when it resolves. */
  async settle(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    await this.#file.sync();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    while (this.#writing !== null) await this.#writing;
    try {
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }

  /** One write at a time; what came meanwhile follows, the latest only. */
  #write(): void {
    if (this.#writing !== null) return;
    this.#writing = this.#writeAll().then(
      () => {
        this.#writing = null;
        // One that came after the last was written and before this callback ran.
        if (this.#unwritten.size > 0) this.#write();
      },
      (error: unknown) => {
        this.#writing = null;
        this.#onFailed(error);
      },
    );
  }

  async #writeAll(): Promise<void> {
    for (const group of this.#unwritten) {
      this.#unwritten.delete(group);
      const turn = 1 - (this.#turns.get(group) ?? 1);
      this.#turns.set(group, turn);
      await this.#file.writeEncoded(this.#placeOf(group) + turn, this.#bytesOf(group));
      this.#written = true;
    }
  }

  #bytesOf(group: GroupId): Buffer {
    const mark = this.find(group);
    const prepared = this.#prepared.get(group);
    this.#prepared.delete(group);
    return prepared !== undefined && isSame(prepared.mark, mark) ? prepared.bytes : this.#encode(group, mark);
  }

  #encode(group: GroupId, { durableNumber, lowestNumber }: Mark): Buffer {
    return this.#file.encode({ group, durableNumber, lowestNumber });
  }

  #placeOf(group: GroupId): number {
    const known = this.#places.get(group);
    if (known !== undefined) return known;
    const place = this.#nextPlace;
    this.#nextPlace += 2;
    this.#places.set(group, place);
    return place;
  }

  /** The timer was set by the first of perhaps many marks: it is set again as long as they come. */
  #onIdle(): void {
    this.#timer = null;
    if (this.#closed) return;
    if (this.#written) {
      this.#written = false;
      this.#timer = this.#clock.setTimer(IDLE_MS, () => this.#onIdle());
      return;
    }
    this.#file.sync().catch((error: unknown) => this.#onFailed(error));
  }
}

function isSame(a: Mark, b: Mark): boolean {
  return a.durableNumber === b.durableNumber && a.lowestNumber === b.lowestNumber;
}
