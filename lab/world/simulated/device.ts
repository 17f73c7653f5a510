import type { DiskSpace } from '../../../src/doors/disk.ts';
import type { ScheduledEvent } from './event-queue.ts';
import type { SimulatedProcess } from './process.ts';
import { checkRange, type RangeUs, type SimulatedRandom } from './random.ts';
import type { Simulation } from './simulation.ts';

export interface DeviceLatency {
  /** Of reads, opens and look-ups. */
  readonly read: RangeUs;
  /** Of writes, and of changes of names. */
  readonly write: RangeUs;
  readonly sync: RangeUs;
}

export const defaultDeviceLatency: DeviceLatency = {
  read: { fromUs: 20, toUs: 100 },
  write: { fromUs: 20, toUs: 100 },
  sync: { fromUs: 200, toUs: 1_000 },
};

/** `name` stands for creating, renaming and removing. */
export type DeviceOperationKind = 'read' | 'write' | 'sync' | 'name';

/** What a crash found under way, or what a fault struck. */
export type Interruption = 'failed' | 'killed';

export const READ: readonly DeviceOperationKind[] = ['read'];
export const WRITE: readonly DeviceOperationKind[] = ['write'];
export const SYNC: readonly DeviceOperationKind[] = ['sync'];
export const NAME: readonly DeviceOperationKind[] = ['name'];
export const SYNCED_WRITE: readonly DeviceOperationKind[] = ['write', 'sync'];

export interface DeviceOperation<T> {
  /** Their latencies add up, and a fault of any of them strikes. */
  readonly kinds: readonly DeviceOperationKind[];
  readonly label: string;
  /** Takes effect, at the moment it completes. What it throws rejects the operation. */
  apply(): T;
  /** What is left when it does not complete: anything that it might have done. */
  interrupt?(by: Interruption, random: SimulatedRandom): void;
  /** The error that an injected fault shows; by default one like Node's. */
  failure?(code: string): Error;
}

/**
 * The storage device of one machine: everything that its files and its databases do passes here, takes
 * its time, and fails when a fault says so. Operations under way together complete in any order.
 */
export class SimulatedDevice {
  readonly simulation: Simulation;
  /** For labels. */
  readonly name: string;
  /** For what crashes and faults leave behind; latencies have a stream of their own. */
  readonly random: SimulatedRandom;
  readonly #latencyRandom: SimulatedRandom;
  #latency: DeviceLatency;
  #slownesses: { readonly latency: DeviceLatency }[] = [];
  readonly #underWay = new Set<UnderWay>();
  #faults: { readonly kind: DeviceOperationKind; readonly code: string; times: number }[] = [];
  #stalls = 0;
  #failed = 0;
  readonly #holders: (() => number)[] = [];
  /** How many bytes fit on it; of several bounds the least counts. */
  #capacities: { readonly bytes: number }[] = [];

  constructor(options: {
    readonly simulation: Simulation;
    readonly name: string;
    readonly random: SimulatedRandom;
    readonly latency?: DeviceLatency;
  }) {
    this.simulation = options.simulation;
    this.name = options.name;
    this.random = options.random.stream('outcome');
    this.#latencyRandom = options.random.stream('latency');
    this.#latency = checkLatency(options.latency ?? defaultDeviceLatency);
  }

  /** Of operations begun from now on, as long as nothing slows it. */
  setLatency(latency: DeviceLatency): void {
    this.#latency = checkLatency(latency);
  }

  /** Operations begun before the returned function is called take so long. Of several the latest counts. */
  slow(latency: DeviceLatency): () => void {
    const slowness = { latency: checkLatency(latency) };
    this.#slownesses.push(slowness);
    return () => {
      this.#slownesses = this.#slownesses.filter((other) => other !== slowness);
    };
  }

  /**
   * The next `times` operations of this kind fail with `code` (`EIO` by default; `ENOSPC`, ...). A failed
   * write may have happened in part; a failed sync leaves unknown what is durable. Faults add up; the
   * returned function takes back what did not strike yet.
   * @throws RangeError unless `times` is a whole number from 1 on.
   */
  failNext(kind: DeviceOperationKind, times: number, code = 'EIO'): () => void {
    if (!Number.isSafeInteger(times) || times < 1) {
      throw new RangeError(`a fault strikes a whole number of times, 1 or more, got ${times}`);
    }
    const fault = { kind, code, times };
    this.#faults.push(fault);
    return () => {
      this.#faults = this.#faults.filter((other) => other !== fault);
    };
  }

  /** Whoever keeps bytes on this device says how many. */
  holds(bytes: () => number): void {
    this.#holders.push(bytes);
  }

  /** Only so many bytes more fit, until the returned function is called. What is removed makes room. */
  fill(bytesLeft: number): () => void {
    const capacity = { bytes: this.#used() + bytesLeft };
    this.#capacities.push(capacity);
    return () => {
      this.#capacities = this.#capacities.filter((other) => other !== capacity);
    };
  }

  /** How many bytes more fit. */
  get room(): number {
    return this.space.freeBytes;
  }

  get space(): DiskSpace {
    const totalBytes = Math.min(Number.POSITIVE_INFINITY, ...this.#capacities.map(({ bytes }) => bytes));
    return { freeBytes: Math.max(0, totalBytes - this.#used()), totalBytes };
  }

  /** Operations that faults made fail so far. */
  get failedOperations(): number {
    return this.#failed;
  }

  /** Every operation hangs, those under way too, until the returned function is called. */
  stall(): () => void {
    this.#stalls += 1;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#stalls -= 1;
      if (this.#stalls > 0) return;
      for (const one of this.#underWay) {
        if (one.event === null) one.event = this.simulation.schedule(0, one.label, one.finish);
      }
    };
  }

  /** Settles through the process: never when it died, later when it is paused. */
  submit<T>(process: SimulatedProcess, operation: DeviceOperation<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!process.alive) return;
      const code = this.#takeFault(operation.kinds);
      const one: UnderWay = {
        process,
        label: operation.label,
        event: null,
        finish: () => {
          one.event = null;
          if (this.#stalls > 0) return;
          this.#underWay.delete(one);
          const settle =
            code === null ? attempt(operation, resolve, reject) : this.#strike(operation, code, reject);
          process.deliver(operation.label, 'input', settle);
        },
        interrupt: () => operation.interrupt?.('killed', this.random),
      };
      this.#underWay.add(one);
      one.event = this.simulation.schedule(this.#drawLatency(operation.kinds), operation.label, one.finish);
    });
  }

  /** The process died: what it had under way happens wholly, partly or not at all, here and now. */
  abandon(process: SimulatedProcess): void {
    for (const one of [...this.#underWay]) {
      if (one.process !== process) continue;
      this.#underWay.delete(one);
      if (one.event !== null) this.simulation.cancel(one.event);
      one.interrupt();
    }
  }

  #used(): number {
    return this.#holders.reduce((sum, bytes) => sum + bytes(), 0);
  }

  #strike<T>(operation: DeviceOperation<T>, code: string, reject: (error: Error) => void): () => void {
    this.#failed += 1;
    operation.interrupt?.('failed', this.random);
    const error = operation.failure?.(code) ?? deviceError(code, operation.label);
    return () => reject(error);
  }

  #drawLatency(kinds: readonly DeviceOperationKind[]): number {
    const latency = this.#slownesses.at(-1)?.latency ?? this.#latency;
    let latencyUs = 0;
    for (const kind of kinds) {
      latencyUs += this.#latencyRandom.duration(kind === 'name' ? latency.write : latency[kind]);
    }
    return latencyUs;
  }

  /** The code of the oldest fault waiting for such an operation; null when none is. */
  #takeFault(kinds: readonly DeviceOperationKind[]): string | null {
    if (this.#faults.length === 0) return null;
    const fault = this.#faults.find((one) => kinds.includes(one.kind));
    if (fault === undefined) return null;
    fault.times -= 1;
    if (fault.times === 0) this.#faults = this.#faults.filter((other) => other !== fault);
    return fault.code;
  }
}

interface UnderWay {
  readonly process: SimulatedProcess;
  readonly label: string;
  /** null while it hangs at a stalled device. */
  event: ScheduledEvent | null;
  readonly finish: () => void;
  readonly interrupt: () => void;
}

function attempt<T>(
  operation: DeviceOperation<T>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): () => void {
  try {
    const value = operation.apply();
    return () => resolve(value);
  } catch (error) {
    return () => reject(error);
  }
}

/** An error shaped like Node's file system errors. */
export function deviceError(code: string, what: string): NodeJS.ErrnoException {
  const meaning = MEANINGS[code] ?? 'input/output failure';
  return Object.assign(new Error(`${code}: ${meaning}, ${what}`), { code });
}

const MEANINGS: Readonly<Record<string, string>> = {
  EBADF: 'bad file descriptor',
  EBUSY: 'resource busy or locked',
  EEXIST: 'file already exists',
  EINVAL: 'invalid argument',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  ELOCKED: 'directory is locked',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
};

function checkLatency(latency: DeviceLatency): DeviceLatency {
  checkRange(latency.read, 'the latency of reads');
  checkRange(latency.write, 'the latency of writes');
  checkRange(latency.sync, 'the latency of syncs');
  return latency;
}
