import type { ConfigurationEntry, Entry, TermRun } from '../../src/raft/entry.ts';
import { encodeEntryPayload } from '../../src/raft/entry-codec.ts';
import type { LogHole, LogStorage, RecoveredLog, WriteRequest } from '../../src/storage/contract.ts';
import { StorageFailed } from '../../src/storage/errors.ts';
import { memoryStorage, type Storage } from '../../src/storage/index.ts';
import { changedInstance } from './changed-instance.ts';

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * A storage in memory whose disk can lose entries of its log: from the next opening on they are holes, or the missing end,
 * until they are repaired or written over. What is hidden is still known to the test's storage, which accepts no other
 * repair than by the very entries.
 */
export class DamagedStorage implements Storage {
  readonly #storage = memoryStorage();
  /** In order, apart from each other. */
  #hidden: Range[] = [];

  /** From the next opening on. */
  lose(...ranges: Range[]): void {
    this.#hidden = [...this.#hidden, ...ranges].sort((a, b) => a.from - b.from);
  }

  /** From the next opening on the log ends before `from`, and may have been longer. */
  loseEnd(from: number): void {
    this.lose({ from, to: Number.POSITIVE_INFINITY });
  }

  async open(request: Parameters<Storage['open']>[0]): ReturnType<Storage['open']> {
    return changedInstance(await this.#storage.open(request), {
      log: async (log) => ({
        recovered: await this.#recover(log, log.recovered),
        read: (range) => this.#read(log, range),
        termAt: (index) => (this.#isHidden(index) ? null : log.termAt(index)),
        repair: (entries) => this.#repair(log, entries),
        write: (write) => this.#write(log, write),
      }),
    });
  }

  #isHidden(index: number): boolean {
    return this.#hidden.some(({ from, to }) => from <= index && index <= to);
  }

  async #recover(log: LogStorage, whole: RecoveredLog): Promise<RecoveredLog> {
    const first = this.#hidden[0];
    if (first === undefined) return whole;
    const lastIndex = first.from - 1;
    const end = { index: whole.lastIndex, term: log.termAt(whole.lastIndex) ?? 0 };
    const endIsLost = this.#hidden.at(-1)?.to === Number.POSITIVE_INFINITY;
    return {
      hardState: whole.hardState,
      floor: whole.floor,
      lastIndex,
      runs: whole.runs.filter(({ firstIndex }) => firstIndex <= lastIndex),
      configurations: whole.configurations.filter(({ index }) => index <= lastIndex),
      damage: {
        holes: endIsLost ? [] : this.#hidden.map((range) => holeOf(log, range, end.index)),
        end: endIsLost ? null : end,
        report: `lost ${this.#hidden.map(({ from, to }) => `${from}..${to}`).join(', ')}`,
      },
    };
  }

  async #read(log: LogStorage, range: Parameters<LogStorage['read']>[0]): Promise<Entry[]> {
    const hit = this.#hidden.find(({ from, to }) => from <= range.to && range.from <= to);
    if (hit !== undefined) throw new StorageFailed(`entries ${hit.from} to ${hit.to} are damaged`);
    return log.read(range);
  }

  async #repair(log: LogStorage, entries: readonly Entry[]): Promise<RecoveredLog | null> {
    const [first, last] = [entries[0], entries.at(-1)];
    const hole = this.#hidden.find(({ to }) => to === last?.index);
    if (hole === undefined || first === undefined || last === undefined) return null;
    const lost = await log.read({ from: first.index, to: last.index, bytesMax: Number.MAX_SAFE_INTEGER });
    const isLost = entries.length === lost.length && entries.every((entry, at) => isSame(entry, lost[at]));
    if (!isLost) throw new Error('these are other entries than were lost');
    const left = first.index === hole.from ? [] : [{ from: hole.from, to: first.index - 1 }];
    this.#hidden = this.#hidden.flatMap((range) => (range === hole ? left : [range]));
    return this.#recover(log, await wholeOf(log));
  }

  /** What stands behind a hole goes when a write begins at or before it. */
  async #write(log: LogStorage, request: WriteRequest): Promise<void> {
    const from = request.cutFrom ?? request.entries[0]?.index;
    if (from === undefined || !this.#hidden.some((range) => from <= range.to)) return log.write(request);
    this.#hidden = this.#hidden.filter((range) => range.to < from);
    return log.write({ ...request, cutFrom: from });
  }
}

function holeOf(log: LogStorage, { from, to }: Range, lastIndex: number): LogHole {
  const index = Math.min(to + 1, lastIndex);
  return { from, to, anchor: { index, term: log.termAt(index) ?? 0 } };
}

function isSame(a: Entry, b: Entry | undefined): boolean {
  if (b === undefined || a.index !== b.index || a.term !== b.term || a.kind !== b.kind) return false;
  return Buffer.compare(encodeEntryPayload(a), encodeEntryPayload(b)) === 0;
}

/** As it would be found by an opening now. */
async function wholeOf(log: LogStorage): Promise<RecoveredLog> {
  const { hardState, floor } = log.recovered;
  const entries: Entry[] = [];
  let to = floor.index;
  while (log.termAt(to + 1) !== null) to += 1;
  if (to > floor.index) {
    entries.push(...(await log.read({ from: floor.index + 1, to, bytesMax: Number.MAX_SAFE_INTEGER })));
  }
  const runs: TermRun[] = [];
  for (const { term, index } of entries) {
    if (runs.at(-1)?.term !== term) runs.push({ term, firstIndex: index });
  }
  const configurations = entries.filter(
    (entry): entry is ConfigurationEntry => entry.kind === 'configuration',
  );
  return { hardState, floor, lastIndex: to, runs, configurations, damage: null };
}
