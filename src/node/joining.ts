import type { Clock, TimerHandle } from '../doors/clock.ts';
import type { Metadata } from '../raft/configuration.ts';
import { isMember, members } from '../raft/configuration.ts';
import { currentConfiguration, selfIsSoleVoter } from '../raft/membership.ts';
import type { BootstrapMember, Envelope, JoinAnswer, JoinRequest } from '../raft/message.ts';
import type { RaftState } from '../raft/state.ts';
import type { Peer } from '../transport/contract.ts';

const ASK_EVERY_MS = 300;
/** In longest election timeouts: so long without a leader is no election any more. */
const LEADERLESS_AFTER = 2;
const TARGETS_MAX = 32;
const nobody: readonly Peer[] = [];

export interface JoiningSettings {
  readonly clock: Clock;
  readonly metadata: Metadata;
  /** Whom to ask besides the members this replica knows of. */
  readonly seeds: readonly BootstrapMember[];
  /** Where others reach this replica. Called once the transport is open. */
  address(): string;
}

export interface JoiningActions {
  send(to: string, message: JoinRequest): void;
  answered(from: string, answer: JoinAnswer): void;
  /** This incarnation never comes back. */
  retired(): void;
  /** This incarnation was copied or rolled back: the storage has to forget it. */
  bootWentBack(): void;
  /** It was a member, and is none any more. */
  removed(): void;
  /** There is somebody else to be reached. */
  hintsChanged(): void;
}

/**
 * Asks to be let in: a replica that holds nothing, and one that hears no leader for long, because it was
 * removed, has moved, or is not the run of its pair that the others know. It asks everybody it knows of,
 * and whom they name as leader, until it hears a leader that its own log lists; what comes of it is the
 * leader's to decide.
 */
export class Joining {
  readonly #state: RaftState;
  readonly #settings: JoiningSettings;
  readonly #actions: JoiningActions;
  #timer: TimerHandle | null = null;
  /** Since when no leader is heard whom it could answer. */
  #since: number | null = null;
  #asking = false;
  #leader: BootstrapMember | null = null;
  #hints: readonly Peer[] = nobody;
  #stopped = false;

  constructor(state: RaftState, settings: JoiningSettings, actions: JoiningActions) {
    this.#state = state;
    this.#settings = settings;
    this.#actions = actions;
  }

  /** Addresses of whom to ask, beyond those in the configuration; the same list until it changes. */
  get hints(): readonly Peer[] {
    return this.#hints;
  }

  /** Called after every drain: begins to ask where there is reason to, and ends it where there is none. */
  look(): void {
    const dueAt = this.#dueAt();
    if (dueAt === null) {
      this.#end();
    } else if (this.#timer === null) {
      if (holdsNothing(this.#state)) this.#setHints();
      const { clock } = this.#settings;
      this.#timer = clock.setTimer(Math.max(0, dueAt - clock.now()), () => this.#ask());
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#end();
  }

  /** The answer is for one run of this very pair: another one's is no news. */
  onAnswer(envelope: Envelope, message: JoinAnswer): void {
    const { self } = this.#state;
    if (envelope.to.incarnation !== self.incarnation || message.boot !== self.boot) return;
    if (this.#stopped || envelope.to.id !== self.id) return;
    // Nobody asked for this one: it is a leader's answer to heartbeat answers, and that leader is well heard.
    if (!this.#asking && message.answer !== 'boot-went-back') return;
    this.#actions.answered(envelope.from.id, message);
    const { leader } = message;
    const isNews = leader?.id !== this.#leader?.id || leader?.address !== this.#leader?.address;
    if (leader !== null && leader.id !== self.id && isNews) {
      this.#leader = leader;
      if (this.#hints !== nobody) this.#setHints();
    }
    if (message.answer === 'retired') this.#actions.retired();
    else if (message.answer === 'boot-went-back') this.#actions.bootWentBack();
    else if (message.answer === 'waiting-for-operator' && wasMember(this.#state)) this.#actions.removed();
  }

  /** When to ask next; null for not at all. */
  #dueAt(): number | null {
    const state = this.#state;
    if (this.#stopped || state.removed || leaderIsListed(state)) {
      this.#since = null;
      return null;
    }
    this.#since ??= this.#settings.clock.now();
    if (holdsNothing(state)) return this.#settings.seeds.length > 0 ? this.#since + ASK_EVERY_MS : null;
    // A leader that came after this log ends: its address has to be learnt before it can be answered.
    if (state.leader !== null) return this.#since + ASK_EVERY_MS;
    if (selfIsSoleVoter(state)) return null;
    return this.#since + LEADERLESS_AFTER * state.options.electionTimeoutMaxMs;
  }

  #ask(): void {
    this.#timer = null;
    if (this.#dueAt() === null) return;
    this.#asking = true;
    if (this.#hints === nobody) this.#setHints();
    const request: JoinRequest = {
      kind: 'JoinRequest',
      address: this.#settings.address(),
      metadata: this.#settings.metadata,
      lastLogIndex: this.#state.log.lastIndex,
    };
    for (const id of this.#targets()) this.#actions.send(id, request);
    this.#timer = this.#settings.clock.setTimer(ASK_EVERY_MS, () => this.#ask());
  }

  #targets(): string[] {
    const { self } = this.#state;
    const known = members(currentConfiguration(this.#state));
    const ids = [...(this.#leader === null ? [] : [this.#leader]), ...known, ...this.#settings.seeds].map(
      ({ id }) => id,
    );
    return [...new Set(ids)].filter((id) => id !== self.id).slice(0, TARGETS_MAX);
  }

  #end(): void {
    if (this.#timer !== null) this.#settings.clock.clearTimer(this.#timer);
    this.#timer = null;
    if (!this.#asking && this.#hints === nobody) return;
    this.#asking = false;
    // Until a configuration tells addresses, the leader that sends it can be answered at these alone.
    if (!this.#stopped && currentConfiguration(this.#state).voters.length === 0) return;
    this.#leader = null;
    this.#hints = nobody;
    if (!this.#stopped) this.#actions.hintsChanged();
  }

  #setHints(): void {
    // Where the configuration tells an address it knows better than a seed, but not than the leader's answer.
    const known = members(currentConfiguration(this.#state));
    const seeds = this.#settings.seeds.filter((seed) => !known.some(({ id }) => id === seed.id));
    const asked = this.#leader === null ? seeds : [this.#leader, ...seeds];
    this.#hints = asked
      .filter(({ id }) => id !== this.#state.self.id)
      .map(({ id, address }) => ({ id, incarnation: null, address }));
    this.#actions.hintsChanged();
  }
}

function leaderIsListed(state: RaftState): boolean {
  return state.leader !== null && isMember(currentConfiguration(state), state.leader);
}

function holdsNothing({ log }: RaftState): boolean {
  return log.lastIndex === 0 && log.floorIndex === 0;
}

/**
 * Whether a committed configuration of the own log lists this replica. Committed is what the commit index
 * covers, and, where that is not known yet after a start, every configuration but the latest (the next is
 * appended only once the last is committed), and the one that founded the cluster.
 */
function wasMember(state: RaftState): boolean {
  const { configurations, commitIndex, self, wasMember: known } = state;
  return (
    known ||
    configurations.some(({ index, configuration }, position) => {
      const isCommitted = index <= commitIndex || index <= 1 || position < configurations.length - 1;
      return isCommitted && isMember(configuration, self);
    })
  );
}
