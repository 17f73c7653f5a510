import { AbstractLevel, type AbstractOpenOptions } from 'abstract-level';
import type { DatabaseContent, TableChange } from './database-content.ts';
import { DatabaseCursor, type RangeOptions, tableKey } from './database-cursor.ts';
import { type DatabaseIteratorOptions, SimulatedIterator } from './database-iterator.ts';
import { type DeviceOperation, type DeviceOperationKind, READ, SYNCED_WRITE, WRITE } from './device.ts';

/** What a handle needs of the machine it runs on. */
export interface DatabaseHost {
  readonly directory: string;
  /** Of the process, for labels. */
  readonly name: string;
  /** Does it when its time has come; never settles once the process died. */
  submit<T>(operation: DeviceOperation<T>): Promise<T>;
  /** How many bytes may still be written. */
  room(): number;
  /** What was written, for whoever compares runs. */
  recordBytes(bytes: Uint8Array): void;
  /** Takes the database for this handle, or throws why not. */
  claim(options: { readonly createIfMissing: boolean; readonly errorIfExists: boolean }): DatabaseContent;
  release(): void;
}

/**
 * One handle on a simulated LevelDB: the production backend talks to it through abstract-level as it
 * talks to the real one. Every request is an operation of the device, so it takes time, fails by
 * injected faults, and never settles once its process died.
 *
 * Every private method that abstract-level would otherwise answer by itself is here: its defaults
 * succeed without doing anything.
 */
export class SimulatedDatabase extends AbstractLevel<string | Buffer | Uint8Array, Uint8Array, Uint8Array> {
  readonly #host: DatabaseHost;
  readonly #underWay = new Set<Promise<unknown>>();
  #content: DatabaseContent | null = null;
  /** After a failed write, LevelDB takes no more until it is reopened. */
  #writeFailure: Error | null = null;

  constructor(host: DatabaseHost) {
    super(
      { encodings: { view: true }, has: true, createIfMissing: true, errorIfExists: true },
      { keyEncoding: 'view', valueEncoding: 'view' },
    );
    this.#host = host;
  }

  async _open(options: AbstractOpenOptions): Promise<void> {
    await this.submit('open', READ, () => {
      this.#content = this.#host.claim({
        createIfMissing: options.createIfMissing !== false,
        errorIfExists: options.errorIfExists === true,
      });
      this.#content.reopen();
      this.#writeFailure = null;
    });
  }

  /** What is under way finishes first, as at the real one. */
  async _close(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
    await this.submit('close', READ, () => {
      this.#content = null;
      this.#host.release();
    });
  }

  async _get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.submit('get', READ, () => this._getSync(key));
  }

  _getSync(key: Uint8Array): Uint8Array | undefined {
    return this.#opened().table.get(tableKey(key))?.slice();
  }

  async _getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.submit('get', READ, () => keys.map((key) => this._getSync(key)));
  }

  async _has(key: Uint8Array): Promise<boolean> {
    return this.submit('get', READ, () => this._getSync(key) !== undefined);
  }

  async _hasMany(keys: readonly Uint8Array[]): Promise<boolean[]> {
    return this.submit('get', READ, () => keys.map((key) => this._getSync(key) !== undefined));
  }

  async _put(key: Uint8Array, value: Uint8Array, options: WriteOptions): Promise<void> {
    await this.#write([{ key: tableKey(key), value: new Uint8Array(value) }], options.sync === true);
  }

  async _del(key: Uint8Array, options: WriteOptions): Promise<void> {
    await this.#write([{ key: tableKey(key), value: null }], options.sync === true);
  }

  async _batch(operations: readonly BatchOperation[], options: WriteOptions): Promise<void> {
    const batch = operations.map((operation): TableChange => {
      const key = tableKey(operation.key);
      return { key, value: operation.type === 'put' ? new Uint8Array(operation.value) : null };
    });
    await this.#write(batch, options.sync === true);
  }

  async _clear(options: RangeOptions): Promise<void> {
    const cursor = new DatabaseCursor(this.#opened().table.view(), options);
    const batch = cursor.take(Number.POSITIVE_INFINITY).map(([key]) => ({ key, value: null }));
    cursor.close();
    if (batch.length > 0) await this.#write(batch, false);
  }

  _iterator(options: DatabaseIteratorOptions): SimulatedIterator {
    return new SimulatedIterator(this, new DatabaseCursor(this.#opened().table.view(), options), options);
  }

  /** One operation of the device on behalf of this handle, for its iterators. */
  submit<T>(
    what: string,
    kinds: readonly DeviceOperationKind[],
    apply: () => T,
    interrupt: NonNullable<DeviceOperation<T>['interrupt']> = () => {},
  ): Promise<T> {
    const { name, directory } = this.#host;
    return this.#host.submit({
      kinds,
      label: `${name} db ${what} '${directory}'`,
      apply,
      interrupt,
      failure: (code) => levelError('LEVEL_IO_ERROR', `IO error: ${directory}: ${code}`),
    });
  }

  async #write(batch: readonly TableChange[], sync: boolean): Promise<void> {
    if (this.#writeFailure !== null) throw this.#writeFailure;
    const content = this.#opened();
    const writing = this.submit(
      'write',
      sync ? SYNCED_WRITE : WRITE,
      () => {
        // One that was under way when another failed fails too.
        if (this.#writeFailure !== null) throw this.#writeFailure;
        this.#recordBatch(batch);
        if (bytesOf(batch) > this.#host.room()) {
          this.#writeFailure = noSpaceIn(this.#host.directory);
          throw this.#writeFailure;
        }
        content.write(batch, sync);
      },
      (by, random) => {
        if (by === 'failed') {
          this.#writeFailure = levelError(
            'LEVEL_IO_ERROR',
            `IO error: ${this.#host.directory}: write failed before`,
          );
        }
        if (random.chance(500)) content.logOnly(batch);
      },
    );
    this.#underWay.add(writing);
    try {
      await writing;
    } finally {
      this.#underWay.delete(writing);
    }
  }

  #recordBatch(batch: readonly TableChange[]): void {
    for (const { key, value } of batch) {
      this.#host.recordBytes(Buffer.from(key, 'latin1'));
      if (value !== null) this.#host.recordBytes(value);
    }
  }

  #opened(): DatabaseContent {
    if (this.#content === null) throw levelError('LEVEL_DATABASE_NOT_OPEN', 'Database is not open');
    return this.#content;
  }
}

/** An error shaped like classic-level's. */
export function levelError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** What LevelDB says of a full disk, in words only. */
export function noSpaceIn(directory: string): Error {
  return levelError('LEVEL_IO_ERROR', `IO error: ${directory}: No space left on device`);
}

/** That its log grows by. */
function bytesOf(batch: readonly TableChange[]): number {
  return batch.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
}

interface WriteOptions {
  readonly sync?: boolean;
}

type BatchOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };
