import type { ApplyEffect, Effect, LoadEffect, LoadSnapshotEffect, WriteEffect } from '../raft/effect.ts';
import type { Entry } from '../raft/entry.ts';
import type { Raft } from '../raft/raft.ts';
import type { SnapshotMeta } from '../raft/snapshot.ts';
import { EntriesGone, SnapshotDamaged } from '../storage/errors.ts';
import type { Applier } from './applier.ts';
import type { RaftNodeEvents } from './events.ts';
import type { Observation } from './observation.ts';
import type { Session } from './session.ts';
import { SnapshotContent } from './snapshot-content.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import type { SnapshotTaker } from './snapshot-taker.ts';
import type { StallWatch } from './stall-watch.ts';

/** What the replica's loop does for the work of a session. All of it is a no-op once the session has ended. */
export interface SessionActions {
  input(give: (now: number, core: Raft) => void): void;
  storageFailed(error: unknown): void;
  stop(error: unknown): void;
  observe(observation: Observation): void;
  emit<Name extends keyof RaftNodeEvents>(name: Name, ...args: RaftNodeEvents[Name]): void;
  isOver(): boolean;
}

type StorageEffect = Exclude<Effect, { readonly kind: 'send' | 'event' | 'read-granted' }>;

/**
 * Does what a core wants done with the storage and the state machine, and tells it when it is done. Nothing
 * of one session reaches the core of the next: completions of an old storage mean nothing to a new one.
 */
export class SessionWork {
  readonly #session: Session;
  readonly #applier: Pick<Applier<unknown, unknown>, 'apply' | 'appliedIndex' | 'idle' | 'restore'>;
  readonly #taker: SnapshotTaker;
  readonly #actions: SessionActions;
  readonly #receiver: SnapshotReceiver;
  readonly #watch: StallWatch;

  constructor(
    session: Session,
    applier: Pick<Applier<unknown, unknown>, 'apply' | 'appliedIndex' | 'idle' | 'restore'>,
    taker: SnapshotTaker,
    watch: StallWatch,
    actions: SessionActions,
  ) {
    this.#session = session;
    this.#applier = applier;
    this.#taker = taker;
    this.#watch = watch;
    this.#actions = actions;
    this.#receiver = this.#makeReceiver();
  }

  begin(): void {
    const { core, snapshots, restoredFrom, instance } = this.#session;
    instance.failed.then((error) => this.#actions.storageFailed(error));
    if (restoredFrom !== null) this.#onRestored(restoredFrom);
    this.#taker.begin({
      snapshots,
      core,
      taken: (meta, keepFrom) => {
        this.#actions.observe({ kind: 'snapshot-stored', meta, origin: 'taken' });
        this.#actions.emit('snapshot-taken', meta);
        this.#actions.input((now) => core.snapshotTaken(now, meta, keepFrom));
      },
      storageFailed: (error) => this.#actions.storageFailed(error),
    });
    // A crash between a snapshot and its floor must not keep the log until the next snapshot.
    const { snapshot } = core.state;
    if (snapshot === null) return;
    this.#actions.input((now) => core.snapshotTaken(now, snapshot, this.#taker.keepFrom(snapshot.index)));
  }

  /** The session has ended: what is under way is cut short. */
  end(): void {
    this.#taker.end();
    this.#watch.stop();
    this.#receiver.stop();
  }

  carryOut(effect: StorageEffect): void {
    switch (effect.kind) {
      case 'write':
        this.#write(effect);
        break;
      case 'apply':
        this.#apply(effect);
        break;
      case 'load':
        this.#load(effect);
        break;
      case 'load-snapshot':
        this.#loadSnapshot(effect);
        break;
      case 'receive-snapshot':
        this.#receiver.receive(effect);
        break;
      case 'abandon-snapshot':
        this.#receiver.abandon(effect.transferId);
        break;
      case 'restore':
        this.#restore(effect.snapshot);
    }
  }

  #write(effect: WriteEffect): void {
    this.#actions.observe({ kind: 'write', write: effect });
    const { kind: _, ...request } = effect;
    this.#watch.writeBegun();
    this.#session.log.write(request).then(
      () => {
        if (this.#actions.isOver()) return;
        this.#watch.writeEnded();
        this.#actions.observe({ kind: 'persisted', writeId: effect.writeId });
        this.#actions.input((now, core) => core.persisted(now, effect.writeId));
      },
      (error: unknown) => this.#actions.storageFailed(error),
    );
  }

  #load({ loadId, from, to, bytesMax }: LoadEffect): void {
    const give = (entries: readonly Entry[] | null): void =>
      this.#actions.input((now, core) => core.loaded(now, loadId, entries));
    this.#session.log.read({ from, to, bytesMax }).then(give, (error: unknown) => {
      // Compacted since they were asked for: the core sends its snapshot instead.
      if (error instanceof EntriesGone) give(null);
      else this.#actions.storageFailed(error);
    });
  }

  /**
   * A snapshot that cannot be read may have made place for a later one, and then that is sent instead. One that
   * rotted is not sent: the state machine, which holds all that it held, makes another. A storage that failed as a
   * whole shows it at its next write.
   */
  #loadSnapshot({ loadId, snapshot, offset, length }: LoadSnapshotEffect): void {
    const give = (bytes: Uint8Array | null): void =>
      this.#actions.input((now, core) => core.snapshotLoaded(now, loadId, bytes));
    this.#session.snapshots.read(snapshot, { offset, length }).then(
      // What is shorter than asked is no part of that snapshot.
      (bytes) => give(bytes.length === Math.min(length, snapshot.size - offset) ? bytes : null),
      (error: unknown) => {
        if (this.#actions.isOver()) return;
        if (error instanceof SnapshotDamaged) this.#onDamaged(snapshot, error);
        give(null);
      },
    );
  }

  #onDamaged({ index, term }: SnapshotMeta, error: SnapshotDamaged): void {
    const { snapshot } = this.#session.core.state;
    // A newer one is there, and is sent from now on.
    if (snapshot === null || snapshot.index > index) return;
    const { isNews, isPossible } = this.#taker.replace();
    if (isNews) this.#actions.emit('snapshot-damaged', { index, term, error, isReplaced: isPossible });
  }

  #apply({ from, to }: ApplyEffect): void {
    const cached = this.#session.core.cachedEntries(from, to);
    if (cached === null) {
      this.#applyFromStorage(from, to);
      return;
    }
    const outcome = this.#applier.apply(cached);
    if (outcome === undefined) {
      this.#applied(to);
      return;
    }
    this.#watch.applyBegun();
    outcome.then(
      () => {
        this.#watch.applyEnded();
        this.#applied(to);
      },
      (error: unknown) => this.#actions.stop(error),
    );
  }

  async #applyFromStorage(from: number, to: number): Promise<void> {
    const { applyBytesMax: bytesMax } = this.#session.core.state.options;
    for (let next = from; next <= to; ) {
      let entries: Entry[];
      try {
        entries = await this.#session.log.read({ from: next, to, bytesMax });
      } catch (error) {
        this.#actions.storageFailed(error);
        return;
      }
      // A storage that failed meanwhile has, or will get, a new core that asks for the rest itself.
      if (this.#actions.isOver()) return;
      this.#watch.applyBegun();
      try {
        await this.#applier.apply(entries);
      } catch (error) {
        this.#actions.stop(error);
        return;
      }
      this.#watch.applyEnded();
      next += entries.length;
    }
    this.#applied(to);
  }

  #applied(to: number): void {
    this.#actions.input((now, core) => core.applied(now, to));
  }

  async #restore(snapshot: SnapshotMeta): Promise<void> {
    const { core, snapshots } = this.#session;
    const content = new SnapshotContent(snapshots, snapshot, core.state.options.snapshotChunkBytes);
    await this.#applier.idle();
    if (this.#actions.isOver()) return;
    try {
      await this.#applier.restore(snapshot, content);
    } catch (error) {
      // A disk that does not give it now is opened anew, and the state machine restored from what is there: a snapshot that
      // is damaged is passed over then, and what it held is a hole (docs/decisions/0010).
      if (content.failure !== null) this.#actions.storageFailed(error);
      else this.#actions.stop(error);
      return;
    }
    // A stopped node does not come that far.
    if (this.#applier.appliedIndex < snapshot.index) return;
    this.#onRestored(snapshot);
    this.#actions.input((now) => core.restored(now, snapshot.index));
  }

  #onRestored(meta: SnapshotMeta): void {
    this.#taker.onRestored(meta);
    this.#actions.observe({ kind: 'restored', meta });
  }

  #makeReceiver(): SnapshotReceiver {
    const { snapshots } = this.#session;
    return new SnapshotReceiver(snapshots, {
      written: (transferId, offset) =>
        this.#actions.input((now, core) => core.snapshotWritten(now, transferId, offset)),
      stored: (transferId, meta) => {
        this.#actions.observe({ kind: 'snapshot-stored', meta, origin: 'received' });
        this.#actions.input((now, core) => core.snapshotStored(now, transferId));
      },
      failed: (transferId, { index }, error) => {
        this.#actions.emit('snapshot-failed', { index, origin: 'received', error });
        this.#actions.input((now, core) => core.snapshotFailed(now, transferId));
      },
      storageFailed: (error) => this.#actions.storageFailed(error),
    });
  }
}
