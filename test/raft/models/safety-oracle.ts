import type { Entry, Index, Term } from '../../../src/raft/entry.ts';
import { termAt } from '../../../src/raft/log.ts';
import type { Envelope } from '../../../src/raft/message.ts';
import type { Cluster, FakeReplica } from '../cluster.ts';
import { entryOn, type FakeDisk, latestSnapshot } from '../fake-disk.ts';

/** What Raft promises of logs, leaders and votes (paper, figure 3), asked of everything that is said and done. */
export class SafetyOracle {
  readonly leaders = new Map<Term, string>();
  readonly committed: Entry[] = [];
  readonly votes = new Map<string, string>();
  readonly #cluster: Cluster;
  /** Entries that once were on a disk: they may have been counted before they were lost. */
  readonly #lost = new Set<string>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** The disk is about to lose what it holds from there on. */
  noteLost({ id, disk }: FakeReplica, from: Index): void {
    for (const { index, term } of disk.entries) if (index >= from) this.#lost.add(`${id} ${index}/${term}`);
    for (const { index, term } of disk.damage?.beyond ?? []) this.#lost.add(`${id} ${index}/${term}`);
  }

  /** Election Safety, the invariants of each state, and State Machine Safety as entries are applied. */
  look(target: FakeReplica): void {
    const { id, core, applied } = target;
    if (core === null) return;
    const { state } = core;
    const { role, hardState, log } = state;
    if (role === 'leader') {
      const known = this.leaders.get(hardState.term);
      if (known === undefined) {
        this.leaders.set(hardState.term, id);
        // Leader Completeness: whatever was committed in earlier terms is in its log.
        for (const entry of this.committed) {
          if (entry.index < log.floorIndex) continue;
          if (termAt(log, entry.index) !== entry.term) {
            throw new Error(`leader ${id} of term ${hardState.term} misses ${entry.index}/${entry.term}`);
          }
        }
      } else if (known !== id) {
        throw new Error(`two leaders of term ${hardState.term}: ${known} and ${id}`);
      }
    }
    for (let index = this.committed.length + 1; index <= state.settledIndex; index += 1) {
      // An only voter may commit, apply and compact an entry in one go.
      const isAlone = this.#cluster.replicas.length === 1;
      const own = isAlone ? applied.find((entry) => entry.index === index) : undefined;
      if (index < log.floorIndex && own === undefined)
        throw new Error(`a snapshot of ${id} holds ${index}, which nobody committed`);
      const term = termAt(log, index) ?? own?.term ?? -1;
      this.#checkOnQuorum(index, term);
      const entry = core.cachedEntries(index, index)?.[0];
      this.committed.push(entry ?? own ?? { kind: 'noop', index, term });
    }
    const last = applied.at(-1);
    const same = last === undefined ? undefined : this.committed[last.index - 1];
    if (last !== undefined && same?.term !== last.term) {
      throw new Error(`${id} applied ${last.index}/${last.term}, committed is ${same?.term}`);
    }
    if (state.settledIndex > 0 && state.settledIndex <= this.committed.length) {
      const term = termAt(log, state.settledIndex);
      if (this.committed[state.settledIndex - 1]?.term !== term) {
        throw new Error(`${id} thinks ${state.settledIndex}/${term} is committed`);
      }
    }
  }

  /** At the moment it is first known to be committed, an entry is on the disks of a majority. */
  #checkOnQuorum(index: Index, term: Term): void {
    const { replicas } = this.#cluster;
    const holders = replicas.filter(
      ({ id, disk }) =>
        entryOn(disk, index)?.term === term ||
        (latestSnapshot(disk)?.meta.index ?? 0) >= index ||
        disk.damage?.beyond.some((entry) => entry.index === index && entry.term === term) ||
        (this.#lost.has(`${id} ${index}/${term}`) && promises(disk, { index, term })),
    ).length;
    if (holders * 2 <= replicas.length) {
      throw new Error(`${index}/${term} is committed and on ${holders} of ${replicas.length} disks`);
    }
  }

  /** Nothing is said that the speaker's disk does not hold; nobody votes twice in a term. */
  checkSaid({ id, disk }: FakeReplica, { message, to }: Envelope): void {
    const says = `${id} says ${message.kind} of term ${message.kind === 'RequestVote' ? message.term : ''}`;
    if (message.kind === 'RequestVote' || (message.kind === 'VoteResponse' && message.granted)) {
      const candidate = message.kind === 'RequestVote' ? id : to.id;
      if (disk.hardState.term !== message.term || disk.hardState.votedFor?.id !== candidate) {
        throw new Error(`${says}, on disk is ${JSON.stringify(disk.hardState)}`);
      }
      const key = `${id} in ${message.term}`;
      if ((this.votes.get(key) ?? candidate) !== candidate) throw new Error(`${key} votes twice`);
      this.votes.set(key, candidate);
    }
    if (
      (message.kind === 'AppendEntriesResponse' && message.accepted) ||
      (message.kind === 'HeartbeatResponse' && message.round > 0)
    ) {
      const leader = this.#cluster.replica(to.id);
      if (disk.hardState.term !== message.term) throw new Error(`${says}: the term is not on disk`);
      // What a durable snapshot covers is found after a crash, whatever the log on the disk still holds there.
      if (message.matchIndex <= (latestSnapshot(disk)?.meta.index ?? 0)) return;
      const own = entryOn(disk, message.matchIndex);
      if (own === undefined) throw new Error(`${says}: match beyond its disk`);
      const { core } = leader;
      if (core?.state.role !== 'leader' || core.state.hardState.term !== message.term) return;
      if (own.index < core.state.log.floorIndex) return;
      if (termAt(core.state.log, own.index) !== own.term) throw new Error(`${says}: another entry`);
    }
  }

  /** Log Matching (paper 5.3) over what is in memory. */
  checkLogMatching(): void {
    const logs = this.#cluster.replicas.flatMap(({ core }) => (core === null ? [] : [core.state.log]));
    for (const [position, one] of logs.entries()) {
      for (const other of logs.slice(position + 1)) {
        let agreed = true;
        const first = Math.max(1, one.floorIndex, other.floorIndex);
        for (let index = first; index <= one.lastIndex && index <= other.lastIndex; index += 1) {
          const same = termAt(one, index) === termAt(other, index);
          if (same && !agreed) throw new Error(`two logs agree at ${index} and not before`);
          agreed = same;
        }
      }
    }
  }
}

/**
 * Whether its disk still says that up to this entry there may have been more than it holds: then it votes as if it held
 * it, whether the disk lost the entry, or it stood behind what was lost and a leader's log or snapshot took its place.
 */
function promises(
  { damage, hardState: { missing } }: FakeDisk,
  entry: Pick<Entry, 'index' | 'term'>,
): boolean {
  if (damage !== null) return true;
  if (missing === undefined || missing.term < entry.term) return false;
  return missing.term > entry.term || missing.index === null || missing.index >= entry.index;
}
