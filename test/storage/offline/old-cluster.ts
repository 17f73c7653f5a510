import fc from 'fast-check';

/** What a replica of the old cluster holds: the terms of its entries, and where snapshot and log begin. */
export interface OldReplica {
  readonly log: number[];
  term: number;
  commitIndex: number;
  snapshotIndex: number;
  floorIndex: number;
}

/** A deliberately plain Raft of terms: elections, replication and commitment by whoever is heard (paper, figure 2). */
export interface OldCluster {
  readonly replicas: readonly OldReplica[];
  /** Term by index of everything that was ever committed. */
  readonly committed: ReadonlyMap<number, number>;
}

export type Step =
  | { readonly kind: 'elect'; readonly who: number; readonly heard: readonly number[] }
  | { readonly kind: 'append'; readonly count: number }
  | { readonly kind: 'replicate'; readonly to: readonly number[]; readonly entries: number }
  | { readonly kind: 'snapshot'; readonly who: number; readonly keep: number };

const some = fc.uniqueArray(fc.nat(4), { maxLength: 5 });

export const stepOf: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('elect' as const), who: fc.nat(4), heard: some }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('replicate' as const),
      to: some,
      entries: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('snapshot' as const), who: fc.nat(4), keep: fc.nat(2) }),
  },
);

export function playOldCluster(size: number, steps: readonly Step[]): OldCluster {
  const replicas = Array.from({ length: size }, (): OldReplica => {
    return { log: [], term: 0, commitIndex: 0, snapshotIndex: 0, floorIndex: 0 };
  });
  const committed = new Map<number, number>();
  let leader: OldReplica | null = null;
  for (const step of steps) {
    if (step.kind === 'elect') {
      const candidate = replicas[step.who % size];
      if (candidate !== undefined && isElected(candidate, replicas, step.heard)) leader = candidate;
    } else if (step.kind === 'append' && leader !== null) {
      for (let i = 0; i < step.count; i += 1) leader.log.push(leader.term);
    } else if (step.kind === 'replicate' && leader !== null) {
      replicate(leader, replicas, step, committed);
    } else if (step.kind === 'snapshot') {
      const replica = replicas[step.who % size];
      if (replica === undefined) continue;
      replica.snapshotIndex = replica.commitIndex;
      replica.floorIndex = Math.max(replica.floorIndex, replica.snapshotIndex - step.keep);
    }
  }
  return { replicas, committed };
}

/** In a term that nobody heard was in: so each votes at most once in it. Whoever votes follows. */
function isElected(
  candidate: OldReplica,
  replicas: readonly OldReplica[],
  heard: readonly number[],
): boolean {
  const term = Math.max(...replicas.map((replica) => replica.term)) + 1;
  const last = candidate.log.at(-1) ?? 0;
  const voters = replicas.filter((voter, position) => {
    const ownLast = voter.log.at(-1) ?? 0;
    const isUpToDate = last > ownLast || (last === ownLast && candidate.log.length >= voter.log.length);
    return voter === candidate || (heard.includes(position) && isUpToDate);
  });
  for (const voter of voters) voter.term = term;
  if (2 * voters.length <= replicas.length) return false;
  candidate.log.push(term);
  return true;
}

/** The logs of whom the leader hears come to be a prefix of its own, at most so many entries longer than they agree. */
function replicate(
  leader: OldReplica,
  replicas: readonly OldReplica[],
  { to, entries }: { readonly to: readonly number[]; readonly entries: number },
  committed: Map<number, number>,
): void {
  const matches = replicas.map((replica, position) => {
    if (replica === leader) return leader.log.length;
    if (!to.includes(position) || replica.term > leader.term) return 0;
    replica.term = leader.term;
    let agreed = Math.min(replica.log.length, leader.log.length);
    while (agreed > 0 && replica.log[agreed - 1] !== leader.log[agreed - 1]) agreed -= 1;
    const match = Math.min(leader.log.length, agreed + entries);
    // Only a conflict cuts (paper 5.3).
    for (let index = agreed + 1; index <= match; index += 1) {
      if (replica.log[index - 1] === leader.log[index - 1]) continue;
      replica.log.length = index - 1;
      replica.log.push(leader.log[index - 1] ?? 0);
    }
    return match;
  });
  for (let index = leader.log.length; index > leader.commitIndex; index -= 1) {
    if (leader.log[index - 1] !== leader.term) break;
    if (2 * matches.filter((match) => match >= index).length <= replicas.length) continue;
    leader.commitIndex = index;
    for (let one = 1; one <= index; one += 1) committed.set(one, leader.log[one - 1] ?? 0);
  }
  for (const [position, replica] of replicas.entries()) {
    replica.commitIndex = Math.max(replica.commitIndex, Math.min(leader.commitIndex, matches[position] ?? 0));
  }
}
