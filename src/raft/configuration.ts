import type { MemberId, NodeId } from './identity.ts';
import { sameMember } from './identity.ts';

/** One server of a configuration. */
export interface Member extends MemberId {
  /** Where its transport listens, in the transport's own notation (`host:port` for TCP). */
  readonly address: string;
  /** The application's own words about it, replicated with the configuration. Absent: none. */
  readonly metadata?: Metadata;
}

export type Metadata = Readonly<Record<string, string>>;

/** `index.term` of the entry that brought a configuration: no two ever share it. `0.0` before the first. */
export type ConfigurationId = string;

/**
 * Who decides. `voters` is the (incoming) set; while a change is under way (joint consensus,
 * dissertation 4.3) `outgoing` is the old set and every decision needs a majority of both;
 * otherwise `outgoing` is empty. Learners replicate and never count; in a joint configuration one of
 * them may still be an outgoing voter, which it will be no more once the change ends.
 *
 * One id may be listed under two incarnations while a wiped server is being replaced by itself.
 */
export interface Configuration {
  readonly id: ConfigurationId;
  readonly voters: readonly Member[];
  readonly outgoing: readonly Member[];
  readonly learners: readonly Member[];
  /** Incarnations that were replaced: never admitted again, whoever asks. */
  readonly retired: readonly MemberId[];
}

export const emptyConfiguration: Configuration = {
  id: '0.0',
  voters: [],
  outgoing: [],
  learners: [],
  retired: [],
};

export function configurationIdOf(entry: { readonly index: number; readonly term: number }): ConfigurationId {
  return `${entry.index}.${entry.term}`;
}

/** Every member once, in a fixed order: voters, then outgoing, then learners not named before. */
export function members(configuration: Configuration): Member[] {
  const seen = new Map<string, Member>();
  for (const set of [configuration.voters, configuration.outgoing, configuration.learners]) {
    for (const member of set) {
      const key = `${member.id}/${member.incarnation}`;
      if (!seen.has(key)) seen.set(key, member);
    }
  }
  return [...seen.values()];
}

export function isVoter(configuration: Configuration, member: MemberId): boolean {
  return lists(configuration.voters, member) || lists(configuration.outgoing, member);
}

/** As voter or learner. */
export function isMember(configuration: Configuration, member: MemberId): boolean {
  return isVoter(configuration, member) || lists(configuration.learners, member);
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

export function isRetired(configuration: Configuration, member: MemberId): boolean {
  return lists(configuration.retired, member);
}

/** Everything listed under one name: two while a wiped server is being replaced by itself. */
export function membersNamed(configuration: Configuration, id: NodeId): Member[] {
  return members(configuration).filter((member) => member.id === id);
}

function lists(set: readonly MemberId[], member: MemberId): boolean {
  for (const one of set) if (sameMember(one, member)) return true;
  return false;
}
