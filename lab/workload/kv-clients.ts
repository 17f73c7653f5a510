import type { Clock, TimerHandle } from '../../src/doors/clock.ts';
import type { Random } from '../../src/doors/random.ts';
import { NotLeader, OutcomeUnknown, Overloaded, SessionExpired } from '../../src/node/errors.ts';
import type { SessionToken } from '../../src/node/sessions/session-token.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import type { OverloadSpec, WorkloadSpec } from '../scenario/scenario.ts';
import type { KvCall, KvResult, Operation } from './history.ts';
import { History } from './history.ts';
import type { KvCommand, KvQuery } from './kv.ts';

/** The cluster as clients see it. */
export interface ClientTarget {
  /** All replicas, down ones included, in a fixed order. Never empty. */
  replicas(): readonly NodeId[];
  /**
   * Rejects as `RaftNode.propose` does. An error whose `outcomeKnown` is not true leaves the outcome
   * unknown; a world rejects so when the replica dies with the proposal under way. When the replica is
   * down at the call, reject with `outcomeKnown: true`. It may also never settle.
   */
  propose(replica: NodeId, command: KvCommand, options: { readonly timeoutMs: number }): Promise<KvResult>;
  read(replica: NodeId, query: KvQuery, options: { readonly timeoutMs: number }): Promise<KvResult>;
  /** Rejects as `propose` does. */
  openSession(replica: NodeId, options: { readonly timeoutMs: number }): Promise<SessionToken>;
  /** Proposes as the session's next sequence; or retries the one that the token says is unanswered. */
  proposeIn(
    replica: NodeId,
    token: SessionToken,
    command: KvCommand,
    options: { readonly timeoutMs: number },
  ): Promise<KvResult>;
}

export interface KvClientsOptions {
  /** The world's own clock, not a replica's. */
  readonly clock: Clock;
  readonly random: Random;
  readonly spec: WorkloadSpec;
  readonly target: ClientTarget;
  /** A new one by default. */
  readonly history?: History;
}

/** The wait before a client asks again after a refusal without a hint. */
const RETRY_MS = 20;

/**
 * Concurrent clients of the key-value map. Each has at most one operation under way and starts the next
 * when its own schedule says so: load does not sink because answers are slow, up to that limit. A client
 * stays with the replica that last worked, follows a hint to the leader, and else tries the next one. An
 * attempt that surely had no effect is made again, as the same operation, until the timeout; one whose
 * outcome is unknown never is, since that could apply it twice; unless the clients use sessions: then a write is
 * retried under its sequence, at every replica in turn, until there is an answer. Every value is written at most once, so
 * that each read names the one write it saw.
 *
 * An overload brings guests, each with one operation: they come at their rate however many wait already, begin
 * where the last one was served, and go when they are refused as too many. How many are under way at a time is
 * bounded by the rate and the timeout alone.
 */
export class KvClients {
  readonly history: History;
  readonly #options: KvClientsOptions;
  readonly #clients: Client[] = [];
  /** Of an overload, those whose operation has not ended. */
  readonly #guests = new Set<Client>();
  #lastGuest: { number: number; replica: number };
  /** The value last acknowledged per key, by anyone: what a compare-and-set will expect. */
  readonly #lastSeen = new Map<string, number | null>();
  #lastValue = 0;
  #state: 'new' | 'running' | 'stopping' = 'new';
  #drained: (() => void) | null = null;

  constructor(options: KvClientsOptions) {
    requireSpec(options.spec);
    this.#options = options;
    this.#lastGuest = { number: options.spec.clients - 1, replica: 0 };
    this.history = options.history ?? new History();
  }

  /** Begins; the first calls are spread over one interval. @throws Error when started before. */
  start(): void {
    if (this.#state !== 'new') throw new Error('these clients were started before; make new ones');
    this.#state = 'running';
    const { clock, random, spec } = this.#options;
    const replicas = this.#options.target.replicas();
    for (let number = 0; number < spec.clients; number += 1) {
      const replica = random.integer(0, replicas.length);
      const client: Client = {
        number,
        replica,
        dueAt: clock.now(),
        operation: null,
        timer: null,
        session: null,
        isGuest: false,
      };
      this.#clients.push(client);
      this.#scheduleNext(client);
    }
    const { overload } = spec;
    if (overload === null) return;
    const fromMs = clock.now() + overload.atMs;
    clock.setTimer(overload.atMs, () => this.#invite(overload, fromMs, fromMs));
  }

  /** Starts no more operations; resolves when those under way have ended, at the latest by their timeout. */
  stop(): Promise<void> {
    this.#state = 'stopping';
    const { clock, spec } = this.#options;
    for (const client of this.#clients) {
      const { operation: running } = client;
      if (running === null) this.#clearTimer(client);
      else if (running.inSession) clock.setTimer(spec.timeoutMs, () => this.#giveUp(client, running));
    }
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.#resolveIfDrained();
    });
  }

  /** Operations under way. */
  get running(): number {
    return this.#clients.filter((client) => client.operation !== null).length + this.#guests.size;
  }

  /** The guest that was due at `dueAt` comes now, and the next one when it is due, however this one fares. */
  #invite(overload: OverloadSpec, fromMs: number, dueAt: number): void {
    if (this.#state !== 'running') return;
    const { clock, random } = this.#options;
    this.#lastGuest.number += 1;
    const { number, replica } = this.#lastGuest;
    const guest: Client = {
      number,
      replica,
      dueAt,
      operation: null,
      timer: null,
      session: null,
      isGuest: true,
    };
    this.#guests.add(guest);
    this.#begin(guest);
    const meanUs = Math.ceil(1_000_000 / overload.operationsPerSecond);
    const next = dueAt + random.integer(Math.ceil(meanUs / 2), Math.ceil((meanUs * 3) / 2) + 1) / 1000;
    if (next >= fromMs + overload.forMs) return;
    const now = clock.now();
    clock.setTimer(next > now ? next - now : 0, () => this.#invite(overload, fromMs, next));
  }

  #scheduleNext(client: Client): void {
    const { clock, random, spec } = this.#options;
    // Microseconds, so that short intervals keep their mean; half to one and a half of it, so that the
    // clients do not march in step.
    const meanUs = Math.ceil((spec.clients * 1_000_000) / spec.operationsPerSecond);
    client.dueAt += random.integer(Math.ceil(meanUs / 2), Math.ceil((meanUs * 3) / 2) + 1) / 1000;
    const now = clock.now();
    // What was missed while an operation hung is not made up for in a burst.
    if (client.dueAt < now) client.dueAt = now;
    client.timer = clock.setTimer(client.dueAt - now, () => this.#begin(client));
  }

  #begin(client: Client): void {
    const { clock, spec } = this.#options;
    const now = clock.now();
    const call = this.#draw();
    const running: RunningOperation = {
      operation: this.history.call(client.number, call, now),
      deadline: now + spec.timeoutMs,
      attempt: 0,
      attemptUnderWay: false,
      lastError: null,
      inSession: spec.sessions && call.kind !== 'read' && !client.isGuest,
      isSent: false,
      isDoubtful: false,
    };
    client.operation = running;
    if (!running.inSession) {
      client.timer = clock.setTimer(spec.timeoutMs, () => this.#timeout(client, running));
    }
    this.#attempt(client, running);
  }

  #attempt(client: Client, running: RunningOperation): void {
    const { target, clock, spec } = this.#options;
    const { call } = running.operation;
    const replicas = target.replicas();
    const replica = replicas[client.replica % replicas.length];
    if (replica === undefined) throw new Error('the target has no replicas');
    const timeoutMs = running.inSession ? spec.timeoutMs : running.deadline - clock.now();
    running.attempt += 1;
    running.attemptUnderWay = true;
    const { attempt } = running;
    if (running.inSession) {
      client.timer = clock.setTimer(timeoutMs, () => {
        if (client.operation !== running || running.attempt !== attempt) return;
        const late = `no answer within ${timeoutMs} ms`;
        this.#refused(client, running, running.isSent ? new OutcomeUnknown(late) : new NoSession(late));
      });
    }
    this.#send(client, running, { replica, call, timeoutMs }).then(
      (result) => {
        if (client.operation !== running || running.attempt !== attempt) return;
        if (!this.#losesAnswer()) this.#ok(client, running, result);
      },
      (error: unknown) => {
        if (client.operation === running && running.attempt === attempt)
          this.#refused(client, running, error);
      },
    );
  }

  #send(
    client: Client,
    running: RunningOperation,
    { replica, call, timeoutMs }: { replica: NodeId; call: KvCall; timeoutMs: number },
  ): Promise<KvResult> {
    const { target } = this.#options;
    if (call.kind === 'read') return target.read(replica, call, { timeoutMs });
    if (!running.inSession) return target.propose(replica, call, { timeoutMs });
    return this.#sendInSession(client, running, { replica, call, timeoutMs });
  }

  async #sendInSession(
    client: Client,
    running: RunningOperation,
    { replica, call, timeoutMs }: { replica: NodeId; call: KvCommand; timeoutMs: number },
  ): Promise<KvResult> {
    const { target } = this.#options;
    const { attempt } = running;
    running.isSent = false;
    if (client.session === null) {
      const token = await target.openSession(replica, { timeoutMs }).catch((error: unknown) => {
        throw error instanceof NotLeader ? error : new NoSession(nameOf(error));
      });
      if (client.operation !== running || running.attempt !== attempt) throw new NoSession('too late');
      client.session = token;
    }
    running.isSent = true;
    const { nextSequence } = client.session;
    const retried = { ...client.session, nextSequence: nextSequence + 1, unanswered: [nextSequence] };
    // Of attempts that surely had no effect the session need not know.
    return target.proposeIn(replica, running.isDoubtful ? retried : client.session, call, { timeoutMs });
  }

  /** It never arrives: the client finds out by its timeout that it waits in vain. */
  #losesAnswer(): boolean {
    const { random, spec } = this.#options;
    return spec.lostAnswersPerMille > 0 && random.integer(0, 1000) < spec.lostAnswersPerMille;
  }

  #ok(client: Client, running: RunningOperation, result: KvResult): void {
    const { call } = running.operation;
    this.history.ok(running.operation, result, this.#options.clock.now());
    if (running.inSession && client.session !== null) {
      client.session = { ...client.session, nextSequence: client.session.nextSequence + 1 };
    }
    if (result.kind === 'read') this.#lastSeen.set(call.key, result.value);
    else if (call.kind === 'write') this.#lastSeen.set(call.key, call.value);
    else if (call.kind === 'cas' && result.kind === 'cas' && result.swapped) {
      this.#lastSeen.set(call.key, call.value);
    }
    this.#end(client);
  }

  #refused(client: Client, running: RunningOperation, error: unknown): void {
    const { clock, target } = this.#options;
    running.attemptUnderWay = false;
    running.lastError = nameOf(error);
    if (client.isGuest && error instanceof Overloaded) {
      this.history.failed(running.operation, running.lastError, clock.now());
      this.#end(client);
      return;
    }
    const harmless = running.operation.call.kind === 'read' || outcomeKnown(error);
    if (running.inSession) {
      this.#clearTimer(client);
      if (!harmless) running.isDoubtful = true;
      // What the session was goes on in none: a write of unknown fate is not tried in another.
      if (error instanceof SessionExpired) client.session = null;
    }
    if (!harmless && (!running.inSession || client.session === null)) {
      this.#moveOn(client);
      this.history.unknown(running.operation, running.lastError, clock.now());
      this.#end(client);
      return;
    }
    const hinted = error instanceof NotLeader && error.leader ? error.leader.id : null;
    const known = hinted === null ? -1 : target.replicas().indexOf(hinted);
    // A hint to the replica that gave it, or to the one just tried, would be a busy loop.
    const follow = known >= 0 && known !== client.replica;
    if (follow) client.replica = known;
    else this.#moveOn(client);
    const { attempt } = running;
    clock.setTimer(follow ? 1 : RETRY_MS, () => {
      if (client.operation === running && running.attempt === attempt) this.#attempt(client, running);
    });
  }

  #timeout(client: Client, running: RunningOperation): void {
    if (client.operation !== running) return;
    const now = this.#options.clock.now();
    const harmless = running.operation.call.kind === 'read' || !running.attemptUnderWay;
    const error = `timed out${running.lastError ? ` after ${running.lastError}` : ''}`;
    if (harmless) this.history.failed(running.operation, error, now);
    else this.history.unknown(running.operation, error, now);
    this.#moveOn(client);
    this.#end(client);
  }

  /** Of an operation in a session, which else goes on until it is answered. */
  #giveUp(client: Client, running: RunningOperation): void {
    if (client.operation !== running) return;
    const now = this.#options.clock.now();
    const error = `given up${running.lastError ? ` after ${running.lastError}` : ''}`;
    if (running.isDoubtful || (running.attemptUnderWay && running.isSent))
      this.history.unknown(running.operation, error, now);
    else this.history.failed(running.operation, error, now);
    // Whatever becomes of it, its sequence is spent.
    client.session = null;
    this.#end(client);
  }

  #end(client: Client): void {
    this.#clearTimer(client);
    client.operation = null;
    if (client.isGuest) {
      this.#guests.delete(client);
      this.#lastGuest.replica = client.replica;
    }
    if (this.#state === 'running' && !client.isGuest) this.#scheduleNext(client);
    if (this.#state === 'stopping') this.#resolveIfDrained();
  }

  #moveOn(client: Client): void {
    client.replica = (client.replica + 1) % this.#options.target.replicas().length;
  }

  #clearTimer(client: Client): void {
    if (client.timer !== null) this.#options.clock.clearTimer(client.timer);
    client.timer = null;
  }

  #resolveIfDrained(): void {
    if (this.#drained !== null && this.running === 0) this.#drained();
  }

  #draw(): KvCall {
    const { random, spec } = this.#options;
    const { read, write, cas } = spec.mix;
    const key = `k${random.integer(1, spec.keys + 1)}`;
    const drawn = random.integer(0, read + write + cas);
    if (drawn < read) return { kind: 'read', key };
    this.#lastValue += 1;
    if (drawn < read + write) return { kind: 'write', key, value: this.#lastValue };
    return { kind: 'cas', key, expected: this.#lastSeen.get(key) ?? null, value: this.#lastValue };
  }
}

interface Client {
  readonly number: number;
  /** Position in the target's list. */
  replica: number;
  /** When its next operation was due by its schedule. */
  dueAt: number;
  operation: RunningOperation | null;
  /** The next operation's start, or the timeout of the present one, in a session of its present attempt. */
  timer: TimerHandle | null;
  /** Every sequence below its next was answered. null: none is open. */
  session: SessionToken | null;
  /** It came with an overload, and goes after one operation. */
  readonly isGuest: boolean;
}

interface RunningOperation {
  readonly operation: Operation;
  readonly deadline: number;
  attempt: number;
  /** False between a refusal and the next attempt: then nothing of it can take effect. */
  attemptUnderWay: boolean;
  lastError: string | null;
  /** It is retried until it is answered. */
  readonly inSession: boolean;
  /** The present attempt has a session and sent the write. */
  isSent: boolean;
  /** An attempt may have had an effect. */
  isDoubtful: boolean;
}

/** Whether one was opened or not, the write was not sent. */
class NoSession extends Error {
  override readonly name = 'NoSession';
  readonly outcomeKnown = true;
}

function outcomeKnown(error: unknown): boolean {
  return error instanceof Error && 'outcomeKnown' in error && error.outcomeKnown === true;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

function requireSpec(spec: WorkloadSpec): void {
  const positive = (name: string, value: number): void => {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(`workload: ${name} must be a whole number of at least 1, not ${value}`);
    }
  };
  positive('clients', spec.clients);
  positive('keys', spec.keys);
  positive('the sum of the mix', spec.mix.read + spec.mix.write + spec.mix.cas);
  for (const [name, value] of [
    ['operationsPerSecond', spec.operationsPerSecond],
    ['timeoutMs', spec.timeoutMs],
  ] as const) {
    if (!(Number.isFinite(value) && value > 0)) {
      throw new RangeError(`workload: ${name} must be greater than 0, not ${value}`);
    }
  }
}
