import { compactionFacts } from './conformance/compaction-facts.ts';
import { forgettingFacts } from './conformance/forgetting-facts.ts';
import { logFacts } from './conformance/log-facts.ts';
import { modelFacts } from './conformance/model-facts.ts';
import { openingFacts } from './conformance/opening-facts.ts';
import { snapshotFacts } from './conformance/snapshot-facts.ts';
import { transferFacts } from './conformance/transfer-facts.ts';
import type { Storage, StorageInstance, StorageOpenRequest } from './contract.ts';

/** The two functions of a test runner that the suite needs; vitest's and node:test's fit. */
export interface StorageConformanceHooks {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
}

/** One place to keep data, empty at first. Each test makes one of its own. */
export interface StorageFixture {
  /**
   * A storage over that place. What an earlier one wrote and acknowledged is there; for a storage in
   * memory this is the same object each time.
   */
  storage(): Storage;
  /** Removes the place. Every instance is closed by then. */
  dispose(): Promise<void>;
}

/** Runs one fact in a fresh place. */
export type InPlace = (fact: string, body: (place: Place) => Promise<void>) => void;

/**
 * What every storage must do. Whoever writes one runs this in their own tests:
 * `storageConformance({ describe, it }, 'mine', async () => ({ storage: () => ..., dispose: ... }))`.
 *
 * It closes and opens the place again after writing and checks what is there; it does not crash it.
 */
export function storageConformance(
  hooks: StorageConformanceHooks,
  name: string,
  makeFixture: () => Promise<StorageFixture>,
): void {
  const { describe, it } = hooks;
  const inPlace: InPlace = (fact, body) =>
    it(fact, async () => {
      const place = new Place(await makeFixture());
      try {
        await body(place);
      } finally {
        await place.dispose();
      }
    });
  describe(`the ${name} storage`, () => {
    openingFacts(inPlace);
    forgettingFacts(inPlace);
    logFacts(inPlace);
    compactionFacts(inPlace);
    modelFacts(inPlace);
    snapshotFacts(inPlace);
    transferFacts(inPlace);
  });
}

/** A fixture, and the instances opened in it. */
export class Place {
  readonly #fixture: StorageFixture;
  readonly #opened: StorageInstance[] = [];

  constructor(fixture: StorageFixture) {
    this.#fixture = fixture;
  }

  storage(): Storage {
    return this.#fixture.storage();
  }

  async open(request: Partial<StorageOpenRequest> = {}): Promise<StorageInstance> {
    const instance = await this.#fixture.storage().open({ id: 'n1', ...request });
    this.#opened.push(instance);
    return instance;
  }

  /** Closes what is open, then opens it by a new instance. */
  async reopen(request: Partial<StorageOpenRequest> = {}): Promise<StorageInstance> {
    await this.#closeAll();
    return this.open(request);
  }

  async dispose(): Promise<void> {
    await this.#closeAll();
    await this.#fixture.dispose();
  }

  async #closeAll(): Promise<void> {
    for (const instance of this.#opened.splice(0)) await instance.close();
  }
}
