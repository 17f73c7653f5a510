import { describeEffect, describeEnvelope, describeEvent } from '../../src/raft/describe.ts';
import type { ReadGrantedEffect } from '../../src/raft/effect.ts';
import type { RaftEvent } from '../../src/raft/event.ts';
import type { Envelope } from '../../src/raft/message.ts';
import type { FakeReplica } from './cluster.ts';

/** The cursors of one replica that a story is about, as words. */
interface View {
  readonly role: string;
  readonly term: string;
  readonly votedFor: string;
  readonly leader: string;
  readonly last: string;
  readonly durable: string;
  readonly commitIndex: string;
  readonly appliedIndex: string;
}

/**
 * Listens to a cluster and tells what changed, in one of two voices. Aloud: every step of every core, its
 * messages included. Quietly: only what is different at the end, replicas to which the same happened in one
 * line, and the events on the way.
 */
export class TraceTeller {
  readonly #replicas: readonly FakeReplica[];
  #views: Map<FakeReplica, View>;
  #heard: Map<FakeReplica, number>;
  #aloud = true;
  #lines: string[] = [];
  /** Who experienced an event, by its text, in the order of the first to do so. */
  #events = new Map<string, string[]>();
  #sent: Envelope[] = [];
  #granted: ReadGrantedEffect[] = [];

  constructor(replicas: readonly FakeReplica[]) {
    this.#replicas = replicas;
    this.#views = this.#lookAtAll();
    this.#heard = new Map(replicas.map((replica) => [replica, replica.events.length]));
  }

  begin(voice: 'aloud' | 'quietly'): void {
    this.#aloud = voice === 'aloud';
    this.#lines = [];
    this.#events = new Map();
    this.#sent = [];
    this.#views = this.#lookAtAll();
  }

  end(): string[] {
    if (this.#aloud) return this.#lines;
    const lines = [...this.#lines];
    for (const [text, ids] of this.#events) lines.push(`${ids.sort().join(',')} ${text}`);
    const changes = new Map<string, string[]>();
    for (const replica of this.#replicas) {
      const change = this.#changeOf(replica);
      if (change !== '') changes.set(change, [...(changes.get(change) ?? []), replica.id]);
    }
    for (const [change, ids] of changes) lines.push(`${ids.join(',')} ${change}`);
    return lines;
  }

  say(line: string): void {
    this.#lines.push(line);
  }

  /** What became of a message on its way. */
  sayAloud(line: string): void {
    if (this.#aloud) this.#lines.push(line);
  }

  onSend(envelope: Envelope): void {
    this.#sent.push(envelope);
  }

  onGranted(_replica: FakeReplica, read: ReadGrantedEffect): void {
    this.#granted.push(read);
  }

  /** One core was drained. */
  onStep(replica: FakeReplica): void {
    const events = replica.events.slice(this.#heard.get(replica) ?? 0);
    this.#heard.set(replica, replica.events.length);
    for (const event of events) if (isWorthTelling(event)) this.#tellEvent(replica.id, describeEvent(event));
    for (const read of this.#granted.splice(0)) this.#tellEvent(replica.id, describeEffect(read));
    const messages = this.#sent.splice(0);
    if (!this.#aloud) return;
    const change = this.#changeOf(replica);
    if (change !== '') this.#lines.push(`${replica.id} ${change}`);
    this.#views.set(replica, look(replica));
    for (const envelope of messages) this.#lines.push(describeEnvelope(envelope));
  }

  #tellEvent(id: string, text: string): void {
    if (this.#aloud) {
      this.#lines.push(`${id} ${text}`);
      return;
    }
    const ids = this.#events.get(text) ?? [];
    if (!ids.includes(id)) ids.push(id);
    this.#events.set(text, ids);
  }

  #changeOf(replica: FakeReplica): string {
    const before = this.#views.get(replica);
    const after = look(replica);
    if (before === undefined) return '';
    const changes: string[] = [];
    for (const name of Object.keys(after) as (keyof View)[]) {
      if (before[name] === after[name] || isImplied(name, after)) continue;
      const change = before[name] === '' ? after[name] : `${before[name]} -> ${after[name]}`;
      changes.push(name === 'role' ? change + whyFollower(replica, before, after) : `${name} ${change}`);
    }
    return changes.join(', ');
  }

  #lookAtAll(): Map<FakeReplica, View> {
    return new Map(this.#replicas.map((replica) => [replica, look(replica)]));
  }
}

function look({ core, disk, appliesAtOnce }: FakeReplica): View {
  if (core === null) {
    const none = 'none';
    return {
      role: 'down',
      term: String(disk.hardState.term),
      votedFor: disk.hardState.votedFor?.id ?? none,
      leader: none,
      last: '',
      durable: '',
      commitIndex: '',
      appliedIndex: '',
    };
  }
  const { hardState, role, leader, log, durable, commitIndex, appliedIndex } = core.state;
  return {
    role,
    term: String(hardState.term),
    votedFor: hardState.votedFor?.id ?? 'none',
    leader: leader?.id ?? 'none',
    last: `${log.lastIndex}/${log.runs.at(-1)?.term ?? log.floorTerm}`,
    // Where the disk is quick there is nothing to tell: it follows the log within the step.
    durable: disk.persistsAtOnce ? '' : String(durable.index),
    commitIndex: String(commitIndex),
    appliedIndex: appliesAtOnce ? '' : String(appliedIndex),
  };
}

/** A leader knows itself; a vote is gone with its term; a process that comes or goes is told by its role. */
function isImplied(name: keyof View, after: View): boolean {
  if (after.role === 'down') return name !== 'role';
  if (name === 'leader') return after.role === 'leader';
  if (name === 'votedFor') return after.votedFor === 'none';
  return after[name] === '';
}

/** Why a replica gave up what it was. That one campaigns or wins is told by what it does. */
function whyFollower(replica: FakeReplica, before: View, after: View): string {
  if (after.role !== 'follower' || before.role === 'down') return '';
  const last = replica.events.findLast((event) => event.kind === 'role-changed');
  return last === undefined || last.role !== 'follower' ? '' : ` (${last.reason})`;
}

/** Roles, leaders and commit indexes are told as cursors. */
function isWorthTelling({ kind }: RaftEvent): boolean {
  return kind !== 'role-changed' && kind !== 'leader-changed' && kind !== 'commit-advanced';
}
