import type { Member, Metadata } from '../raft/configuration.ts';
import { isMember, isVoter, membersNamed } from '../raft/configuration.ts';
import type { Incarnation, NodeId } from '../raft/identity.ts';
import { currentConfiguration } from '../raft/membership.ts';
import type { AddedMember, MembershipChange, MembershipRefusal } from '../raft/membership-change.ts';
import type { Newcomer } from '../raft/newcomers.ts';
import type { RaftState } from '../raft/state.ts';

/** What is to become of the membership, as an operator says it. All of it happens, or nothing. */
export interface RequestedChange {
  /** New members. They catch up as learners first; `learner` leaves them at that. Default role: `voter`. */
  readonly add?: readonly (RequestedMember & { readonly role?: 'voter' | 'learner' })[];
  /** Learners that become voters. */
  readonly promote?: readonly NodeId[];
  /** Voters that become learners. */
  readonly demote?: readonly NodeId[];
  readonly remove?: readonly NodeId[];
  /** `by` takes over the role of `id`. Without `by`: the same server, come back with an emptied disk. */
  readonly replace?: readonly { readonly id: NodeId; readonly by?: RequestedMember }[];
  /** Another address or other metadata for a member that stays. */
  readonly update?: MembershipChange['update'];
}

/** Whatever is not said is taken from that server's own request to join. */
export interface RequestedMember {
  readonly id: NodeId;
  readonly address?: string;
  readonly incarnation?: Incarnation;
  readonly metadata?: Metadata;
}

export type ResolvedChange =
  | { readonly change: MembershipChange }
  /** These have not asked to join. */
  | { readonly missing: readonly NodeId[] }
  | { readonly refused: MembershipRefusal; readonly why: string };

/** Puts a name to every pair, from who asked to be let in lately. */
export function resolveChange(requested: RequestedChange, state: RaftState): ResolvedChange {
  const configuration = currentConfiguration(state);
  const missing: NodeId[] = [];
  const resolve = (member: RequestedMember): Member | null => {
    const found = memberOf(member, state);
    if (found === null) missing.push(member.id);
    return found;
  };
  const { add, replace, promote, demote, remove, update } = requested;
  const added: AddedMember[] = [];
  for (const { role, ...member } of add ?? []) {
    const listed = membersNamed(configuration, member.id);
    // A learner that an interrupted change left behind is still on its way to become a voter.
    const isDone = role === 'learner' || listed.some((one) => isVoter(configuration, one));
    if (member.incarnation === undefined && listed.length > 0 && isDone) {
      return { refused: 'already-member', why: `${member.id} is a member already` };
    }
    const found = resolve(member);
    if (found !== null) added.push(role === undefined ? found : { ...found, role });
  }
  const replaced: { id: NodeId; by: Member }[] = [];
  for (const { id, by } of replace ?? []) {
    if (membersNamed(configuration, id).length === 0) {
      return { refused: 'unknown-member', why: `${id} is no member` };
    }
    const found = resolve(by ?? { id });
    if (found !== null) replaced.push({ id, by: found });
  }
  if (missing.length > 0) return { missing };
  return {
    change: {
      add: added,
      replace: replaced,
      promote: promote ?? [],
      demote: demote ?? [],
      remove: remove ?? [],
      update: update ?? [],
    },
  };
}

function memberOf(requested: RequestedMember, state: RaftState): Member | null {
  const { id } = requested;
  const learner = currentConfiguration(state).learners.find((one) => one.id === id);
  // It asks no more: it hears the leader.
  if (learner !== undefined && (requested.incarnation ?? learner.incarnation) === learner.incarnation) {
    const { address = learner.address, metadata = learner.metadata } = requested;
    return { id, incarnation: learner.incarnation, address, ...(metadata === undefined ? {} : { metadata }) };
  }
  const newcomer = state.newcomers.findLast((one) => isMeant(one, requested, state));
  const address = requested.address ?? newcomer?.address;
  const incarnation = requested.incarnation ?? newcomer?.member.incarnation;
  if (address === undefined || incarnation === undefined) return null;
  const metadata = requested.metadata ?? newcomer?.metadata ?? {};
  return { id, incarnation, address, ...(Object.keys(metadata).length === 0 ? {} : { metadata }) };
}

/** A member is no newcomer, nor is one who can never become a member. */
function isMeant(newcomer: Newcomer, requested: RequestedMember, state: RaftState): boolean {
  const { member, answer } = newcomer;
  if (member.id !== requested.id || isMember(currentConfiguration(state), member)) return false;
  if (requested.incarnation !== undefined) return member.incarnation === requested.incarnation;
  return answer !== 'other-cluster' && answer !== 'retired' && answer !== 'boot-went-back';
}
