/** A server's name, chosen by the operator: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. */
export type NodeId = string;
/** 16 lower-case hex digits, random, made when a storage is created: an emptied disk is another server. */
export type Incarnation = string;
/** 16 lower-case hex digits, random, made at bootstrap. */
export type ClusterId = string;
/** One of several independent logs that share a storage and an endpoint. Same characters as a NodeId. */
export type GroupId = string;

/** What a configuration lists: an (id, incarnation) pair. */
export interface MemberId {
  readonly id: NodeId;
  readonly incarnation: Incarnation;
}

/** One run of one member. `boot` is 1 at the first open of a storage and grows by one at every open. */
export interface ReplicaId extends MemberId {
  readonly boot: number;
}

export function sameMember(a: MemberId, b: MemberId): boolean {
  return a.id === b.id && a.incarnation === b.incarnation;
}

/** Ids of writes, loads and reads. They contain the boot, so they never recur. */
export interface RequestId {
  readonly boot: number;
  /** 1, 2, 3, ... within the boot. */
  readonly sequence: number;
}
