import { progressOfChange } from '../raft/active-change.ts';
import { type Configuration, emptyConfiguration, isMember, type Metadata } from '../raft/configuration.ts';
import type { Index, Term } from '../raft/entry.ts';
import type { MembershipProgress, Role } from '../raft/event.ts';
import type { ClusterId, Incarnation, NodeId, RequestId } from '../raft/identity.ts';
import type { JoinOutcome } from '../raft/message.ts';
import type { RaftState } from '../raft/state.ts';
import type { StorageSpace } from '../storage/contract.ts';
import type { BootstrapWaiting } from './bootstrap.ts';
import type { DamageStatus } from './log-repair.ts';
import { noQuorum, type QuorumStatus, quorumOf } from './quorum-status.ts';

/** One replica as it sees itself, at one moment. Plain data. */
export interface NodeStatus {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly boot: number;
  /** null until the cluster is founded. */
  readonly clusterId: ClusterId | null;
  /** `reopening`: a write failed, the storage is being reopened. */
  readonly state: 'running' | 'reopening' | 'stopped';
  readonly role: Role;
  readonly term: Term;
  readonly leader: { readonly id: NodeId; readonly address: string } | null;
  readonly commitIndex: Index;
  readonly appliedIndex: Index;
  readonly lastIndex: Index;
  /** Entries up to here survive a crash. */
  readonly durableIndex: Index;
  /** The log begins after this entry; everything up to it is in a snapshot. */
  readonly floorIndex: Index;
  /** The latest durable one here; null when there is none. `size` in bytes. */
  readonly snapshot: { readonly index: Index; readonly term: Term; readonly size: number } | null;
  /** Of clients, open as of `appliedIndex`. */
  readonly sessions: number;
  readonly configuration: Configuration;
  /** By how much what is applied here may lag behind what anybody was told is committed; null: no bound is known. */
  readonly stalenessMs: number | null;
  /** Whether enough voters are heard to decide anything, and who is missing. */
  readonly quorum: QuorumStatus;
  /** Leader: the change of the membership it carries out; null when there is none. */
  readonly change: { readonly id: RequestId; readonly progress: MembershipProgress } | null;
  /** Who asked this replica to be let in lately, the latest last. */
  readonly newcomers: readonly NewcomerStatus[];
  /** Leader: how far each other member is; empty otherwise. */
  readonly peers: readonly PeerStatus[];
  /** null while the log is whole, as far as is known, and while the storage is not open. */
  readonly damage: DamageStatus | null;
  /** The room on the disk when it was last asked, at most a second before the last write; null: not known. */
  readonly disk: StorageSpace | null;
  /** Present while a cluster is to be founded, and something keeps it from being so. */
  readonly bootstrap?: BootstrapWaiting;
}

export interface PeerStatus {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly mode: RaftState['progress'][number]['mode'];
  readonly matchIndex: Index;
  /** Milliseconds since the last heartbeat that it answered was sent; null when none was. */
  readonly contactMsAgo: number | null;
}

export interface NewcomerStatus {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
  readonly address: string;
  readonly metadata: Metadata;
  /** What it was answered. */
  readonly answer: JoinOutcome;
  readonly askedMsAgo: number;
}

/** What a node knows of itself besides its core. */
export interface StatusSources {
  readonly id: NodeId;
  /** The core's, also while the storage is being reopened, and once stopped; null before the node is open. */
  readonly lastState: RaftState | null;
  /** The core's that takes part; null while there is none. */
  readonly state: RaftState | null;
  readonly isStopped: boolean;
  readonly appliedIndex: Index;
  readonly sessions: number;
  readonly stalenessMs: number | null;
  readonly damage: DamageStatus | null;
  readonly disk: StorageSpace | null;
  readonly bootstrap: BootstrapWaiting | null;
}

export function statusOf(sources: StatusSources): NodeStatus {
  const { id, lastState: last, state, isStopped, appliedIndex, sessions, stalenessMs } = sources;
  const { damage, disk, bootstrap } = sources;
  return {
    id,
    incarnation: last?.self.incarnation ?? '',
    boot: last?.self.boot ?? 0,
    clusterId: last?.clusterId ?? null,
    state: isStopped ? 'stopped' : state === null ? 'reopening' : 'running',
    role: state?.role ?? 'follower',
    term: last?.hardState.term ?? 0,
    leader: state === null ? null : leaderOf(state),
    commitIndex: last?.commitIndex ?? 0,
    appliedIndex,
    sessions,
    lastIndex: last?.log.lastIndex ?? 0,
    durableIndex: last?.durable.index ?? 0,
    floorIndex: last?.log.floorIndex ?? 0,
    snapshot: last === null ? null : snapshotOf(last),
    configuration: last === null ? emptyConfiguration : latestConfiguration(last),
    quorum: state === null ? noQuorum : quorumOf(state),
    stalenessMs,
    change: state === null ? null : changeOf(state),
    newcomers: last === null ? [] : newcomersOf(last),
    peers: state === null ? [] : peersOf(state, state.now),
    damage,
    disk,
    ...(bootstrap === null ? {} : { bootstrap }),
  };
}

export function latestConfiguration(state: RaftState): Configuration {
  const last = state.configurations.at(-1);
  if (last === undefined) throw new Error('the core holds no configuration');
  return last.configuration;
}

/** The leader's address as the configuration gives it; null when none is known. */
export function leaderOf(state: RaftState): { id: NodeId; address: string } | null {
  const { leader } = state;
  if (leader === null) return null;
  const { voters, outgoing, learners } = latestConfiguration(state);
  const member = [...voters, ...outgoing, ...learners].find(
    (m) => m.id === leader.id && m.incarnation === leader.incarnation,
  );
  return member === undefined ? null : { id: member.id, address: member.address };
}

function peersOf(state: RaftState, now: number): PeerStatus[] {
  return state.progress.map(({ member, mode, matchIndex, contactAt }) => ({
    id: member.id,
    incarnation: member.incarnation,
    mode,
    matchIndex,
    contactMsAgo: contactAt === null ? null : now - contactAt,
  }));
}

/** Whoever is a member meanwhile is none. */
function newcomersOf(state: RaftState): NewcomerStatus[] {
  const configuration = latestConfiguration(state);
  const strangers = state.newcomers.filter(({ member }) => !isMember(configuration, member));
  return strangers.map(({ member, address, metadata, answer, heardAt }) => ({
    id: member.id,
    incarnation: member.incarnation,
    address,
    metadata,
    answer,
    askedMsAgo: state.now - heardAt,
  }));
}

function changeOf(state: RaftState): NodeStatus['change'] {
  const { change } = state;
  return change === null ? null : { id: change.changeId, progress: progressOfChange(state, change) };
}

function snapshotOf({ snapshot }: RaftState): NodeStatus['snapshot'] {
  return snapshot === null ? null : { index: snapshot.index, term: snapshot.term, size: snapshot.size };
}
