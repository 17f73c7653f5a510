import type { MemberId, NodeId } from './identity.ts';

/** One server of a configuration. */
export interface Member extends MemberId {
  /** Where its transport listens, in the transport's own notation (`host:port` for TCP). */
  readonly address: string;
}

/**
 * Who decides. `voters` is the (incoming) set; while a change is under way (joint consensus,
 * dissertation 4.3) `outgoing` is the old set and every decision needs a majority of both;
 * otherwise `outgoing` is empty. Learners replicate and never count.
 */
export interface Configuration {
  readonly voters: readonly Member[];
  readonly outgoing: readonly Member[];
  readonly learners: readonly Member[];
}

export const emptyConfiguration: Configuration = { voters: [], outgoing: [], learners: [] };

/** Every member once, in a fixed order: voters, then outgoing, then learners not named before. */
export function members(configuration: Configuration): Member[] {
  const seen = new Map<NodeId, Member>();
  for (const set of [configuration.voters, configuration.outgoing, configuration.learners]) {
    for (const member of set) {
      const key = `${member.id}/${member.incarnation}`;
      if (!seen.has(key)) seen.set(key, member);
    }
  }
  return [...seen.values()];
}

export function isVoter(configuration: Configuration, member: MemberId): boolean {
  const lists = (set: readonly Member[]): boolean =>
    set.some((m) => m.id === member.id && m.incarnation === member.incarnation);
  return lists(configuration.voters) || lists(configuration.outgoing);
}
