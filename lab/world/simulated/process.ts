import type { ScheduledEvent } from './event-queue.ts';
import type { Simulation } from './simulation.ts';

/** `timer` runs before `input` when a pause ends, as libuv runs timers before it polls. */
export type DeliveryKind = 'timer' | 'input';

/**
 * One run of one program. Every door belongs to a process and calls back only through it, so killing it
 * leaves its code hanging on promises that never settle, and pausing it holds everything back.
 */
export class SimulatedProcess {
  readonly simulation: Simulation;
  readonly name: string;
  #state: 'running' | 'paused' | 'dead' = 'running';
  #held: { readonly label: string; readonly kind: DeliveryKind; readonly callback: () => void }[] = [];
  readonly #onKill: (() => void)[] = [];

  constructor(simulation: Simulation, name: string) {
    this.simulation = simulation;
    this.name = name;
  }

  get state(): 'running' | 'paused' | 'dead' {
    return this.#state;
  }

  /** Running or paused. */
  get alive(): boolean {
    return this.#state !== 'dead';
  }

  /**
   * Hands something to the code of this process now; later when it is paused, never when it is
   * dead. The label is that of the event in which a held one arrives at last.
   */
  deliver(label: string, kind: DeliveryKind, callback: () => void): void {
    if (this.#state === 'running') callback();
    else if (this.#state === 'paused') this.#held.push({ label, kind, callback });
  }

  /** As `deliver`, `delayUs` from now. */
  schedule(delayUs: number, label: string, kind: DeliveryKind, callback: () => void): ScheduledEvent {
    return this.simulation.schedule(delayUs, label, () => this.deliver(label, kind, callback));
  }

  /** Runs when this process dies, in order of registration. @throws Error when it is dead already. */
  onKill(callback: () => void): void {
    if (!this.alive) throw new Error(`process ${this.name} is dead`);
    this.#onKill.push(callback);
  }

  /** As SIGKILL. What it had under way at the disk may happen wholly, partly or not at all. Idempotent. */
  kill(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#held = [];
    for (const callback of this.#onKill.splice(0)) callback();
  }

  /** As SIGSTOP: the world goes on, and what arrives waits. @throws Error when it is dead. */
  pause(): void {
    if (this.#state === 'dead') throw new Error(`process ${this.name} is dead and cannot be paused`);
    this.#state = 'paused';
  }

  /**
   * As SIGCONT: what waited arrives now, one event each, due timers first. @throws Error when it is dead.
   */
  resume(): void {
    if (this.#state === 'dead') throw new Error(`process ${this.name} is dead and cannot be resumed`);
    if (this.#state === 'running') return;
    this.#state = 'running';
    const held = this.#held;
    this.#held = [];
    for (const kind of ['timer', 'input'] as const) {
      for (const one of held) {
        if (one.kind === kind) this.schedule(0, one.label, kind, one.callback);
      }
    }
  }
}
