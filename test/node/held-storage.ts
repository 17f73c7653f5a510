import { memoryStorage, type Storage } from '../../src/storage/index.ts';
import { changedInstance } from './changed-instance.ts';

/** A storage in memory whose log writes are durable when the test says so, and not before, in order. */
export class HeldStorage implements Storage {
  /** While true, writes wait. */
  holding = false;
  readonly #storage = memoryStorage();
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  releaseAll(): void {
    this.holding = false;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  failAll(): void {
    this.holding = false;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the disk is gone'));
  }

  async open(request: Parameters<Storage['open']>[0]): ReturnType<Storage['open']> {
    return changedInstance(await this.#storage.open(request), {
      log: (log) => ({
        write: async (write) => {
          if (this.holding) {
            await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
          }
          return log.write(write);
        },
      }),
    });
  }
}
