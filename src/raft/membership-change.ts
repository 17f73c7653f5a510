import type { Member, Metadata } from './configuration.ts';
import type { Incarnation, NodeId } from './identity.ts';

/** What is to become of the membership, every pair known. All of it happens, or nothing. */
export interface MembershipChange {
  /** New members. They catch up as learners first; `learner` leaves them at that. Default role: `voter`. */
  readonly add?: readonly AddedMember[];
  /** Learners that become voters, once caught up. */
  readonly promote?: readonly NodeId[];
  /** Voters that become learners. */
  readonly demote?: readonly NodeId[];
  readonly remove?: readonly NodeId[];
  /** `by` takes over the role of `id`, once caught up; the pair that leaves is retired if `by` has its name. */
  readonly replace?: readonly { readonly id: NodeId; readonly by: Member }[];
  /** Another address or other metadata for a member that stays. */
  readonly update?: readonly {
    readonly id: NodeId;
    /** Which of two that share the name; absent: the voter, or the only one. */
    readonly incarnation?: Incarnation;
    readonly address?: string;
    readonly metadata?: Metadata;
  }[];
}

export interface AddedMember extends Member {
  readonly role?: 'voter' | 'learner';
}

/** Why a change is not even begun. Nothing was appended. */
export type MembershipRefusal =
  | 'not-leader'
  /** No entry of the leader's own term is committed yet (Ongaro's bug of 2015): wait a moment. */
  | 'term-not-committed'
  /** Another change is not finished. */
  | 'change-in-progress'
  /** The configuration is not the expected one any more (compare-and-set). */
  | 'configuration-changed'
  /** Everything asked for is so already. */
  | 'nothing-to-change'
  | 'unknown-member'
  | 'already-member'
  /** One id is named twice, or in two ways that exclude each other. */
  | 'contradiction'
  | 'no-voters-left'
  /** This incarnation was replaced, and never comes back. */
  | 'retired'
  /** Metadata or address beyond what a configuration has room for. */
  | 'too-large'
  /** Abort: no change is under way. */
  | 'no-change';

export interface RefusedMembership {
  readonly accepted: false;
  readonly reason: MembershipRefusal;
  /** One sentence with names. */
  readonly why: string;
}
