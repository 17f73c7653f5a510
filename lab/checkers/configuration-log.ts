import type { Configuration } from '../../src/raft/configuration.ts';
import type { WriteEffect } from '../../src/raft/effect.ts';
import type { Index } from '../../src/raft/entry.ts';
import type { RecoveredLog } from '../../src/storage/contract.ts';

export interface LoggedConfiguration {
  readonly index: Index;
  readonly configuration: Configuration;
}

/** The configurations in one replica's log, in order, and that of its floor: our own account of them. */
export class ConfigurationLog {
  #floor: Configuration | null;
  #entries: LoggedConfiguration[];
  /** Those of a damaged log that lie after the first thing missing. */
  #missing: LoggedConfiguration[] = [];

  /** @param earlier - of the same disk, before it was opened anew. */
  constructor({ floor, configurations, lastIndex, damage }: RecoveredLog, earlier?: ConfigurationLog) {
    this.#floor = floor.configuration;
    this.#entries = configurations.map(({ index, configuration }) => ({ index, configuration }));
    if (damage === null || earlier === undefined) return;
    this.#missing = [...earlier.#entries, ...earlier.#missing].filter(({ index }) => index > lastIndex);
  }

  /** Peers gave back what was missing, up to this entry. */
  repaired(through: Index): void {
    this.#entries.push(...this.#missing.filter(({ index }) => index <= through));
    this.#missing = [];
  }

  /** The one in force, committed or not (dissertation 4.1); null before the first. */
  get last(): Configuration | null {
    return this.#entries.at(-1)?.configuration ?? this.#floor;
  }

  /** Those of entries after `from` up to `through`. */
  between(from: Index, through: Index): LoggedConfiguration[] {
    return this.#entries.filter(({ index }) => index > from && index <= through);
  }

  /** @param floorReplaces - the log does not hold the entry at the write's floor: all of it goes. */
  write({ floor, cutFrom, entries }: WriteEffect, floorReplaces: boolean): void {
    if (floor?.configuration) {
      this.#floor = floor.configuration;
      this.#entries = floorReplaces ? [] : this.#entries.filter(({ index }) => index > floor.index);
    }
    if (cutFrom !== undefined || entries.length > 0 || floorReplaces) this.#missing = [];
    if (cutFrom !== undefined) this.#entries = this.#entries.filter(({ index }) => index < cutFrom);
    for (const entry of entries) {
      if (entry.kind === 'configuration') {
        this.#entries.push({ index: entry.index, configuration: entry.configuration });
      }
    }
  }
}
