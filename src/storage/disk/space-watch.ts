import type { Clock, TimerHandle } from '../../doors/clock.ts';
import type { Disk } from '../../doors/disk.ts';
import type { StorageSpace } from '../contract.ts';
import type { FileStorageSettings } from './file-storage.ts';

/** Also while it is nearly full, when nothing is written that could make it ask. */
const ASK_EVERY_MS = 1_000;
/** Of the reserve: written so much, it asks again, however near the bound it is. */
const ASK_OFTENEST = 64;
const RESERVE_BYTES = 128 * 1024 * 1024;
/** Of the disk: the default is no more than this part of it. */
const RESERVE_OF_DISK = 20;

/**
 * How much room there is where the storage is, so that it is known before a write fails for want of it. Asked beside
 * the writes, which never wait for it: a second after the last answer, and as soon as this storage alone may have
 * written what was left above the reserve. While nothing is written nothing is asked; what others write meanwhile shows
 * with the next write.
 */
export class SpaceWatch {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #directory: string;
  /** null: the default. */
  readonly #reserveBytes: number | null;
  readonly #tell: (space: StorageSpace) => void;
  #nearlyFull = false;
  #isAsking = false;
  #isStopped = false;
  #timer: TimerHandle | null = null;
  /** When it was answered last. */
  #answeredAt: number;
  #bytesSince = 0;
  #askAfterBytes = Number.POSITIVE_INFINITY;

  constructor(
    settings: Pick<FileStorageSettings, 'directory' | 'reserveBytes' | 'doors'>,
    tell: (space: StorageSpace) => void,
  ) {
    this.#disk = settings.doors.disk;
    this.#clock = settings.doors.clock;
    this.#directory = settings.directory;
    this.#reserveBytes = settings.reserveBytes;
    this.#tell = tell;
    this.#answeredAt = this.#clock.now();
    this.#ask();
  }

  /** So many bytes were added to the disk. */
  written(bytes: number): void {
    this.#bytesSince += bytes;
    if (this.#isAsking || this.#isStopped) return;
    const isDue =
      this.#bytesSince >= this.#askAfterBytes || this.#clock.now() - this.#answeredAt >= ASK_EVERY_MS;
    if (isDue) this.#ask();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  #ask(): void {
    this.#isAsking = true;
    // What is written from here on may be counted twice, which makes it ask a little early.
    this.#bytesSince = 0;
    this.#disk.space(this.#directory).then(
      ({ freeBytes, totalBytes }) => this.#answered(freeBytes, totalBytes),
      // A disk that cannot tell is not known to be full, or to have room again.
      () => this.#asked(),
    );
  }

  #answered(freeBytes: number, totalBytes: number): void {
    if (this.#isStopped) return;
    const reserveBytes =
      this.#reserveBytes ?? Math.min(RESERVE_BYTES, Math.floor(totalBytes / RESERVE_OF_DISK));
    // Half as much again, or it would step aside and come back with every file that goes.
    const enoughBytes = reserveBytes + Math.ceil(reserveBytes / 2);
    this.#nearlyFull = freeBytes < (this.#nearlyFull ? enoughBytes : reserveBytes);
    this.#askAfterBytes = Math.max(freeBytes - reserveBytes, reserveBytes / ASK_OFTENEST);
    this.#asked();
    this.#tell({
      directory: this.#directory,
      freeBytes,
      reserveBytes,
      enoughBytes,
      nearlyFull: this.#nearlyFull,
    });
  }

  #asked(): void {
    this.#isAsking = false;
    this.#answeredAt = this.#clock.now();
    if (this.#nearlyFull && !this.#isStopped) this.#askLater();
  }

  #askLater(): void {
    this.#timer ??= this.#clock.setTimer(ASK_EVERY_MS, () => {
      this.#timer = null;
      if (!this.#isAsking) this.#ask();
    });
  }
}
