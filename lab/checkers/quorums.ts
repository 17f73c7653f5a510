import type { Configuration } from '../../src/raft/configuration.ts';
import type { MemberId } from '../../src/raft/identity.ts';

/** A pair as a key. */
export function pairOf({ id, incarnation }: MemberId): string {
  return `${id}/${incarnation}`;
}

/** Whether these pairs can decide alone: a majority of each set that there is. */
export function isQuorum(configuration: Configuration, agreed: ReadonlySet<string>): boolean {
  return setsOf(configuration).every((set) => isMajority(set, agreed));
}

/** The sets of pairs of which each needs a majority; none before the first configuration. */
function setsOf({ voters, outgoing }: Configuration): string[][] {
  return [voters, outgoing].filter((set) => set.length > 0).map((set) => set.map(pairOf));
}

/**
 * Two quorums, one of each configuration, that have nobody in common; null when there are none, so that
 * the two can never decide differently. Tries every split of the voters: clusters are small.
 */
export function disjointQuorums(a: Configuration, b: Configuration): [string[], string[]] | null {
  const [aSets, bSets] = [setsOf(a), setsOf(b)];
  if (aSets.length === 0 || bSets.length === 0) return null;
  const everyone = [...new Set([...aSets, ...bSets].flat())];
  for (let split = 0; split < 2 ** everyone.length; split += 1) {
    const here = new Set(everyone.filter((_, at) => Math.floor(split / 2 ** at) % 2 === 1));
    if (!aSets.every((set) => isMajority(set, here))) continue;
    const there = new Set(everyone.filter((pair) => !here.has(pair)));
    if (bSets.every((set) => isMajority(set, there))) return [[...here], [...there]];
  }
  return null;
}

/**
 * Whether one configuration may directly follow another one: the voters stay, or the change goes through a
 * joint configuration of both sets (dissertation 4.3), forwards or, when it is aborted, back.
 */
export function mayFollow(before: Configuration, after: Configuration): boolean {
  const [voters, outgoing] = [keyOf(after.voters), keyOf(after.outgoing)];
  const [earlierVoters, earlierOutgoing] = [keyOf(before.voters), keyOf(before.outgoing)];
  if (before.outgoing.length === 0) {
    return after.outgoing.length === 0 ? voters === earlierVoters : outgoing === earlierVoters;
  }
  if (after.outgoing.length > 0) return voters === earlierVoters && outgoing === earlierOutgoing;
  return voters === earlierVoters || voters === earlierOutgoing;
}

function isMajority(set: readonly string[], agreed: ReadonlySet<string>): boolean {
  return set.filter((pair) => agreed.has(pair)).length * 2 > set.length;
}

function keyOf(set: readonly MemberId[]): string {
  return set.map(pairOf).sort().join(' ');
}
