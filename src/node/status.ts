import type { Configuration } from '../raft/configuration.ts';
import type { Index, Term } from '../raft/entry.ts';
import type { Role } from '../raft/event.ts';
import type { ClusterId, Incarnation, NodeId } from '../raft/identity.ts';
import type { RaftState } from '../raft/state.ts';
import type { BootstrapWaiting } from './bootstrap.ts';

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
  readonly configuration: Configuration;
  /** Leader: how far each other member is; empty otherwise. */
  readonly peers: readonly PeerStatus[];
  /** Present while this replica tries to found the cluster. */
  readonly bootstrap?: BootstrapWaiting;
}

export interface PeerStatus {
  readonly id: NodeId;
  readonly mode: 'probe' | 'replicate';
  readonly matchIndex: Index;
  /** Milliseconds since the last heartbeat that it answered was sent; null when none was. */
  readonly contactMsAgo: number | null;
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

export function peersOf(state: RaftState, now: number): PeerStatus[] {
  return state.progress.map(({ member, mode, matchIndex, contactAt }) => ({
    id: member.id,
    mode,
    matchIndex,
    contactMsAgo: contactAt === null ? null : now - contactAt,
  }));
}
