import type { Index, Term } from '../../../src/raft/entry.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import type { SnapshotMeta } from '../../../src/raft/snapshot.ts';
import type { AbstractLog } from './abstract-log.ts';
import {
  configurationAt,
  isUpToDate,
  lastIndex,
  latestConfigurations,
  replacedBy,
  termAt,
  withFloor,
} from './abstract-log.ts';
import { isOutBy, mayCampaign, mustLeave } from './membership-rules.ts';
import { decides, list, pair } from './naive-quorum.ts';
import {
  appended,
  appendedByLeader,
  checkInForce,
  commitByCounting,
  differenceOf,
  followCommit,
} from './replication-rules.ts';
import { diverge } from './rules.ts';
import { checkSent } from './sending-rules.ts';
import { enterTerm, type Observed, questionKey, type Server, type Step, snapshotKey } from './server.ts';

/**
 * Figure 2 of the paper with chapters 4 (membership), 5 (snapshots) and 9.6 (pre-votes) of the dissertation,
 * as a machine that says yes or no. It does nothing by itself: it is shown what a core did in one step, explains
 * every change by a rule that allows it, takes the step itself, and names the rule that allows it not.
 *
 * It knows nothing of timers, of flow control or of when to do anything: only of what may be done.
 */
export class Dissertation {
  readonly preVote: boolean;
  /** Of all servers, for ever: a promise binds a pair whether it remembers it or not. */
  readonly promises = new Map<string, { readonly to: string; readonly until: number }>();
  /** What any server took, by `snapshotKey`. */
  readonly #taken = new Map<string, SnapshotMeta>();

  constructor(options: { readonly preVote: boolean }) {
    this.preVote = options.preVote;
  }

  /** @throws Divergence */
  step(server: Server, step: Step): void {
    const { observed } = step;
    const ledBefore = server.role === 'leader';
    server.stable = step.stable;
    if (step.misaddressed) checkUntouched(server, observed);
    this.#storeSnapshots(server, step);
    this.#changeTerm(server, step);
    this.#changeVote(server, step);
    hear(server, step.heard);
    this.#changeRole(server, observed);
    const expected = this.#changeLog(server, step);
    if (observed.applyingIndex > server.commitIndex) {
      diverge('apply', server, `applies up to ${observed.applyingIndex}, committed is ${server.commitIndex}`);
    }
    if (server.role === 'leader' && observed.role !== 'leader') server.termStart = null;
    server.role = observed.role;
    if (mustLeave(server)) diverge('leave', server, 'still leads');
    const wasLeader = ledBefore || server.role === 'leader';
    for (const envelope of observed.sent) {
      checkSent(this, server, { envelope, step, wasLeader, log: expected });
    }
  }

  /** 5.1 of the dissertation: what is taken here is judged here; what a leader sent was judged where it was taken. */
  #storeSnapshots(server: Server, { stored }: Step): void {
    for (const meta of stored) {
      const key = snapshotKey(meta);
      if (!this.#taken.has(key)) {
        const { index, term, configuration } = meta;
        const inForce = index <= server.log.floor.index ? null : configurationAt(server.log, index);
        if (index > server.commitIndex || termAt(server.log, index) !== term) {
          diverge('snapshot', server, `took a snapshot of ${index}/${term}, which is not committed here`);
        }
        if (inForce !== null && inForce.id !== configuration.id) {
          diverge('snapshot', server, `took a snapshot of ${index} with configuration ${configuration.id}`);
        }
        this.#taken.set(key, meta);
      }
      server.snapshots.add(key);
    }
  }

  #changeTerm(server: Server, { heard, now, observed }: Step): void {
    const { currentTerm } = observed;
    if (currentTerm === server.currentTerm) return;
    const moved = `went from term ${server.currentTerm} to ${currentTerm}`;
    if (currentTerm < server.currentTerm) diverge('currentTerm', server, moved);
    const asked = heard?.message;
    if (asked?.kind === 'TimeoutNow' && currentTerm === asked.term + 1 && asked.term >= server.currentTerm) {
      campaignByTransfer(server, asked.term, observed);
      return;
    }
    if (asked !== undefined && 'term' in asked && asked.term === currentTerm && tellsTerm(asked)) {
      if (asked.kind === 'RequestVote' && !asked.leadershipTransfer)
        this.#keepPromise(server, pair(heard?.from ?? missing()), now);
      enterTerm(server, currentTerm, null);
      return;
    }
    if (observed.votedFor !== server.pair) diverge('currentTerm', server, moved);
    if (currentTerm !== server.currentTerm + 1) diverge('campaign', server, moved);
    if (server.role === 'leader') diverge('campaign', server, 'campaigns while it leads');
    if (!mayCampaign(server)) diverge('campaign', server, 'campaigns and is no voter');
    if (this.preVote) this.#checkPreVotes(server, heard);
    this.#keepPromise(server, server.pair, now);
    enterTerm(server, currentTerm, server.pair);
    server.role = 'candidate';
  }

  #checkPreVotes(server: Server, heard: Envelope | null): void {
    const { configuration } = latestConfigurations(server.log).latest;
    const granted = new Set([...server.preVotes, server.pair]);
    const said = heard?.message;
    if (said?.kind === 'PreVoteResponse' && said.granted && said.term === server.currentTerm + 1)
      granted.add(pair(heard?.from ?? missing()));
    if (!decides(granted, configuration))
      diverge('preVote', server, `campaigns after pre-votes of ${list(granted)}`);
  }

  #changeVote(server: Server, { heard, now, observed }: Step): void {
    const { votedFor } = observed;
    if (votedFor === server.votedFor) return;
    const moved = `voted for ${server.votedFor} and then for ${votedFor} in term ${server.currentTerm}`;
    if (server.votedFor !== null || votedFor === null) diverge('oneVote', server, moved);
    const asked = heard?.message;
    if (heard === null || asked?.kind !== 'RequestVote' || pair(heard.from) !== votedFor)
      diverge('oneVote', server, moved);
    else if (asked.term !== server.currentTerm)
      diverge('oneVote', server, `${moved}, asked in ${asked.term}`);
    else if (!isUpToDate(server.log, asked.lastLogIndex, asked.lastLogTerm)) {
      diverge('upToDate', server, `voted for a log that ends at ${asked.lastLogIndex}/${asked.lastLogTerm}`);
    }
    if (asked?.kind === 'RequestVote' && !asked.leadershipTransfer)
      this.#keepPromise(server, votedFor ?? '', now);
    server.votedFor = votedFor;
  }

  #keepPromise(server: Server, candidate: string, now: number): void {
    const promise = this.promises.get(server.pair);
    if (promise === undefined || now >= promise.until || promise.to === candidate) return;
    // That leader stepped down when it committed this.
    if (isOutBy(server, promise.to)) return;
    diverge(
      'promise',
      server,
      `follows ${candidate} at ${now}, and promised ${promise.to} until ${promise.until}`,
    );
  }

  #changeRole(server: Server, observed: Observed): void {
    if (observed.role === server.role) return;
    switch (observed.role) {
      case 'candidate':
        diverge('campaign', server, `is candidate in term ${server.currentTerm} without a campaign`);
        break;
      case 'pre-candidate':
        if (server.role === 'leader' || !mayCampaign(server))
          diverge('campaign', server, 'asks for pre-votes');
        server.role = 'pre-candidate';
        server.preVotes.clear();
        break;
      case 'leader':
        win(server);
        break;
      case 'follower':
        // Anybody may give up at any time. A leader does so after what it did as leader: see `step`.
        if (server.role !== 'leader') server.role = 'follower';
    }
  }

  /** @returns the log that messages of this step were made of. */
  #changeLog(server: Server, step: Step): AbstractLog {
    const { heard, observed } = step;
    const message = heard?.message;
    let { log } = server;
    if (server.role === 'leader') commitByCounting(server, observed);
    else if (message?.kind === 'AppendEntries' && message.term === server.currentTerm) {
      log = appended(server, message, observed);
    }
    server.log = log;
    if (server.role === 'leader') log = appendedByLeader(server, observed);
    const whole = log;
    log = this.#withFloor(server, log, observed);
    const difference = differenceOf(log, observed.log);
    if (difference !== null)
      diverge(server.role === 'leader' ? 'appendOnly' : 'otherwise', server, difference);
    server.log = log;
    checkInForce(server, observed);
    if (server.role !== 'leader') followCommit(server, step);
    return termAt(whole, log.floor.index) === log.floor.term ? whole : log;
  }

  #withFloor(server: Server, log: AbstractLog, { log: { floor } }: Observed): AbstractLog {
    if (floor.index === log.floor.index && floor.term === log.floor.term) return log;
    const what = `begins its log after ${floor.index}/${floor.term}`;
    if (floor.index <= log.floor.index) diverge('compact', server, what);
    const held = [...server.snapshots].map((key) => this.#taken.get(key) ?? missing());
    if (!held.some((meta) => meta.index >= floor.index))
      diverge('compact', server, `${what} without a snapshot`);
    const whole = held.find((meta) => meta.index === floor.index && meta.term === floor.term);
    if (termAt(log, floor.index) === floor.term) {
      if (whole === undefined && floor.index > server.commitIndex) diverge('compact', server, what);
      if (floor.index > server.commitIndex) server.commitIndex = floor.index;
      if (server.verifiedIndex < floor.index && whole !== undefined) server.verifiedIndex = floor.index;
      return withFloor(log, floor.index);
    }
    if (whole === undefined || server.role === 'leader') diverge('install', server, what);
    if (floor.index > server.commitIndex) server.commitIndex = floor.index;
    if (server.verifiedIndex < floor.index) server.verifiedIndex = floor.index;
    return replacedBy(whole ?? missing());
  }
}

/** 3.10: nobody is asked first, and what was promised to the leader that asks is no obstacle. */
function campaignByTransfer(server: Server, term: Term, { votedFor }: Observed): void {
  const what = `campaigns in term ${term + 1} by transfer`;
  if (term === server.currentTerm && server.role === 'leader')
    diverge('campaign', server, `${what} and leads`);
  if (votedFor !== server.pair) diverge('campaign', server, `${what} and voted for ${votedFor}`);
  if (!mayCampaign(server)) diverge('campaign', server, `${what} and is no voter`);
  enterTerm(server, term + 1, server.pair);
  server.role = 'candidate';
  server.byTransfer = true;
}

/** A vote asked of, or entries sent to, an incarnation that is gone. */
function checkUntouched(server: Server, { currentTerm, votedFor, log }: Observed): void {
  const untouched = currentTerm === server.currentTerm && votedFor === server.votedFor;
  if (untouched && lastIndex(log) === lastIndex(server.log)) return;
  diverge('identity', server, `acts upon a message for another, in term ${currentTerm}`);
}

/** What a message teaches, once its term is the current one. */
function hear(server: Server, heard: Envelope | null): void {
  if (heard === null) return;
  const from = pair(heard.from);
  const { message } = heard;
  if (message.kind === 'PreVoteResponse') {
    if (message.granted && message.term === server.currentTerm + 1) server.preVotes.add(from);
    return;
  }
  if (!('term' in message) || message.term !== server.currentTerm) return;
  switch (message.kind) {
    case 'VoteResponse':
      if (message.granted) server.votes.add(from);
      break;
    case 'AppendEntriesResponse':
      if (message.accepted) noteMatch(server, from, message.matchIndex);
      break;
    case 'HeartbeatResponse':
      noteMatch(server, from, message.matchIndex);
      server.answeredRounds.set(from, Math.max(message.round, server.answeredRounds.get(from) ?? 0));
      break;
    case 'AppendEntries':
    case 'Heartbeat':
    case 'TimeoutNow':
      server.leader = from;
      break;
    case 'ReadIndexRequest': {
      const key = questionKey(from, message.readId);
      if (!server.questions.has(key)) server.questions.set(key, server.lastRound);
      break;
    }
    case 'InstallSnapshot':
      server.leader = from;
      // Everything up to there is committed, so it is in both logs (paper 5.4.3).
      if (message.snapshot.index <= server.commitIndex && message.snapshot.index > server.verifiedIndex)
        server.verifiedIndex = message.snapshot.index;
      break;
    default:
  }
}

function noteMatch(server: Server, from: string, matchIndex: Index): void {
  if (server.role !== 'leader') return;
  const known = server.matchIndex.get(from) ?? 0;
  if (matchIndex > known) server.matchIndex.set(from, matchIndex);
}

/** 5.2 and 4.3: votes of a majority of each set of voters; the own one counts once it is durable. */
function win(server: Server): void {
  if (server.role !== 'candidate') diverge('win', server, `leads and was ${server.role}`);
  const { configuration } = latestConfigurations(server.log).latest;
  const { stable } = server;
  const voted = stable.currentTerm === server.currentTerm && stable.votedFor === server.pair;
  const votes = new Set(server.votes);
  if (voted) votes.add(server.pair);
  if (!decides(votes, configuration)) {
    diverge('win', server, `leads term ${server.currentTerm} by the votes of ${list(votes)}`);
  }
  server.role = 'leader';
  server.termStart = lastIndex(server.log) + 1;
}

/** Pre-votes are about a term that nobody is in yet. */
function tellsTerm(message: Envelope['message']): boolean {
  if (message.kind === 'RequestPreVote') return false;
  return message.kind !== 'PreVoteResponse' || !message.granted;
}

function missing(): never {
  throw new Error('the model lost track of something');
}
