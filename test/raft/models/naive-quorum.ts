import type { Configuration } from '../../../src/raft/configuration.ts';
import type { MemberId } from '../../../src/raft/identity.ts';

/**
 * The arithmetic of quorums once more, as slowly as the dissertation's sentences are read: sets of names,
 * every subset tried. It shares no line with src/raft/quorum.ts, so both are wrong only where both were misread.
 */

/** A member as one word. */
export function pair({ id, incarnation }: MemberId): string {
  return `${id}/${incarnation}`;
}

/** More than half of a set (paper 5.2). Nothing is more than half of nobody. */
export function isMajority(agreeing: ReadonlySet<string>, of: readonly MemberId[]): boolean {
  const everybody = new Set(of.map(pair));
  let count = 0;
  for (const one of everybody) if (agreeing.has(one)) count += 1;
  return count > everybody.size - count;
}

/** Dissertation 4.3: while a change is under way, separate majorities of the old and of the new servers. */
export function decides(agreeing: ReadonlySet<string>, configuration: Configuration): boolean {
  const { voters, outgoing } = configuration;
  return isMajority(agreeing, voters) && (outgoing.length === 0 || isMajority(agreeing, outgoing));
}

/** Every set of voters that can decide. */
export function quorumsOf(configuration: Configuration): ReadonlySet<string>[] {
  const everybody = new Set([...configuration.voters, ...configuration.outgoing].map(pair));
  return subsets([...everybody]).filter((subset) => decides(subset, configuration));
}

/** There is a quorum all of whose members agree. */
export function someQuorumAgrees(configuration: Configuration, agrees: (member: string) => boolean): boolean {
  return quorumsOf(configuration).some((quorum) => [...quorum].every(agrees));
}

/** The greatest of the values up to `limit` that all members of some quorum have reached. */
export function reachedByAQuorum(
  configuration: Configuration,
  reached: (member: string) => number,
  limit: number,
): number {
  for (let value = limit; value > 0; value -= 1) {
    if (someQuorumAgrees(configuration, (member) => reached(member) >= value)) return value;
  }
  return 0;
}

/** For messages to people. */
export function list(pairs: Iterable<string>): string {
  return [...pairs].join(', ') || 'nobody';
}

function subsets(words: readonly string[]): Set<string>[] {
  const [first, ...rest] = words;
  if (first === undefined) return [new Set()];
  const without = subsets(rest);
  return [...without, ...without.map((subset) => new Set([first, ...subset]))];
}
