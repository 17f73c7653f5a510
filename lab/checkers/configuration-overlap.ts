import type { Configuration } from '../../src/raft/configuration.ts';
import { configurationIdOf, emptyConfiguration, members } from '../../src/raft/configuration.ts';
import type { WriteEffect } from '../../src/raft/effect.ts';
import type { Index, Term } from '../../src/raft/entry.ts';
import type { NodeId, ReplicaId } from '../../src/raft/identity.ts';
import type { Envelope } from '../../src/raft/message.ts';
import type { RaftState } from '../../src/raft/state.ts';
import { type Checker, endsProcess, type Violation, type WorldObservation } from './checker.ts';
import { ConfigurationLog, type LoggedConfiguration } from './configuration-log.ts';
import { configurationDigest } from './entry-digest.ts';
import { disjointQuorums, isQuorum, mayFollow, pairOf } from './quorums.ts';
import { ReplicaBooks } from './replica-book.ts';

/**
 * What makes a change of the membership safe (dissertation, chapter 4):
 *
 * - a replica goes by the latest configuration of its log, committed or not;
 * - a committed configuration is the same everywhere, in logs, floors and snapshots;
 * - each follows from the one before it, by way of a joint configuration where voters change;
 * - a leader was elected by a quorum of the configuration it goes by, of listed pairs alone, and that
 *   configuration has no quorum apart from those of what was committed before its term;
 * - an incarnation that was replaced is never listed again.
 *
 * Does not check: commits (commit-quorum does, by the same sets), and whether a change that was asked for
 * comes about.
 */
export class ConfigurationOverlap implements Checker {
  readonly name = 'configuration-overlap';
  readonly property =
    'Configurations follow each other so that no two quorums decide apart, and are the same everywhere (dissertation 4.1 to 4.3).';
  readonly #books = new ReplicaBooks();
  readonly #logs = new Map<NodeId, ConfigurationLog>();
  /** Committed ones in order. */
  readonly #committed: LoggedConfiguration[] = [];
  #committedIndex: Index = 0;
  /** The term of whoever committed last. */
  #committedTerm: Term = 0;
  /** Pairs that a committed configuration has retired. */
  readonly #retired = new Set<string>();
  /** By term and candidate, the pairs that granted it their vote. */
  readonly #votes = new Map<string, Set<string>>();
  readonly #seen = new Map<NodeId, { commitIndex: Index; leads: string }>();

  observe(world: WorldObservation): Violation | null {
    const { replica, atMs } = world;
    const sentence = this.#judge(world);
    this.#books.observe(world);
    if (endsProcess(world)) this.#seen.delete(replica);
    if (world.kind === 'wiped' || world.kind === 'rolled-back') this.#logs.delete(replica);
    return sentence === null ? null : { checker: this.name, sentence, atMs };
  }

  finish(): Violation | null {
    return null;
  }

  #judge(world: WorldObservation): string | null {
    if (world.kind !== 'replica') return null;
    const { replica, observation } = world;
    switch (observation.kind) {
      case 'opened': {
        const { recovered, appliedIndex } = observation;
        this.#logs.set(replica, new ConfigurationLog(recovered, this.#logs.get(replica)));
        this.#seen.set(replica, { commitIndex: appliedIndex, leads: '' });
        const { index, configuration } = recovered.floor;
        return this.#checkCopy(`${replica} recovered a log that begins`, index, configuration);
      }
      case 'write':
        return this.#write(replica, observation.write);
      case 'snapshot-stored': {
        const { index, configuration } = observation.meta;
        return this.#checkCopy(`${replica} stored a snapshot`, index, configuration);
      }
      case 'raft-event': {
        const { event } = observation;
        if (event.kind === 'log-repaired') this.#logs.get(replica)?.repaired(event.to);
        return null;
      }
      case 'sent':
        this.#noteVote(observation.envelope);
        return null;
      case 'step':
        return this.#step(replica, observation.state);
      default:
        return null;
    }
  }

  #write(replica: NodeId, write: WriteEffect): string | null {
    const { floor } = write;
    const terms = this.#books.of(replica)?.issued;
    const replaces = floor !== undefined && terms?.termAt(floor.index) !== floor.term;
    this.#logs.get(replica)?.write(write, replaces);
    if (floor) {
      const lets = `${replica} lets its log begin`;
      const sentence = this.#checkCopy(lets, floor.index, floor.configuration);
      if (sentence !== null) return sentence;
    }
    for (const entry of write.entries) {
      if (entry.kind !== 'configuration') continue;
      const { index, configuration } = entry;
      const wrote = `${replica} wrote configuration ${configuration.id} as entry ${index} of term ${entry.term}`;
      if (configuration.id !== configurationIdOf(entry)) return `${wrote}, which should be its id`;
      const back = members(configuration).find((member) => this.#retired.has(pairOf(member)));
      if (back && index > this.#committedIndex) {
        return `${wrote}, and it lists ${back.id} as incarnation ${back.incarnation}, which was replaced for ever`;
      }
    }
    return null;
  }

  /** What stands for the log up to an index must carry the configuration that was in force there. */
  #checkCopy(did: string, index: Index, configuration: Configuration | null): string | null {
    if (index === 0 || index > this.#committedIndex) return null;
    const expected = this.#committed.findLast((one) => one.index <= index)?.configuration;
    if (!expected || (configuration && sameConfiguration(expected, configuration))) return null;
    const found = configuration ? `configuration ${configuration.id}` : 'no configuration';
    return `${did} after entry ${index} with ${found}, but ${expected.id} was in force there: ${describe(expected)}`;
  }

  #noteVote({ from, to, message }: Envelope): void {
    if (message.kind !== 'VoteResponse' || !message.granted || to.incarnation === null) return;
    const key = candidacy(message.term, { id: to.id, incarnation: to.incarnation });
    const votes = this.#votes.get(key) ?? new Set<string>();
    this.#votes.set(key, votes.add(pairOf(from)));
  }

  #step(replica: NodeId, state: RaftState): string | null {
    const log = this.#logs.get(replica);
    const seen = this.#seen.get(replica);
    if (!log || !seen) return null;
    const inForce = state.configurations.at(-1)?.configuration ?? emptyConfiguration;
    const logged = log.last ?? emptyConfiguration;
    // What is not handed to the storage yet is not in our books.
    if (!state.unissued && inForce.id !== logged.id) {
      return `${replica} goes by configuration ${inForce.id}, but the latest in its log is ${logged.id}: ${describe(logged)}`;
    }
    let sentence: string | null = null;
    if (state.commitIndex > seen.commitIndex) {
      sentence = this.#commit(replica, log.between(seen.commitIndex, state.commitIndex));
      seen.commitIndex = state.commitIndex;
    }
    const { term } = state.hardState;
    if (state.commitIndex > this.#committedIndex) {
      this.#committedIndex = state.commitIndex;
      this.#committedTerm = Math.max(this.#committedTerm, term);
    }
    if (state.role !== 'leader') seen.leads = '';
    else sentence ??= this.#lead(replica, state.self, term, inForce, seen);
    return sentence;
  }

  /** Takes what a replica takes for committed, and holds it against what others did. */
  #commit(replica: NodeId, configurations: readonly LoggedConfiguration[]): string | null {
    for (const { index, configuration } of configurations) {
      const took = `${replica} took configuration ${configuration.id} for committed`;
      if (index <= this.#committedIndex) {
        const known = this.#committed.find((one) => one.index === index);
        if (known && sameConfiguration(known.configuration, configuration)) continue;
        return `${took}, but at entry ${index} ${known ? `it is ${known.configuration.id}` : 'there is none'}`;
      }
      const before = this.#committed.at(-1)?.configuration;
      this.#committed.push({ index, configuration });
      if (configuration.outgoing.length === 0) {
        for (const pair of configuration.retired) this.#retired.add(pairOf(pair));
      }
      if (before && !mayFollow(before, configuration)) {
        return `${took}, ${describe(configuration)}, which may not follow ${before.id}: ${describe(before)}`;
      }
    }
    return null;
  }

  #lead(
    replica: NodeId,
    self: ReplicaId,
    term: Term,
    inForce: Configuration,
    seen: { leads: string },
  ): string | null {
    const newlyElected = !seen.leads.startsWith(`${term} `);
    const committed = this.#committed.at(-1)?.configuration ?? emptyConfiguration;
    const leads = `${term} ${inForce.id} ${committed.id}`;
    if (leads === seen.leads) return null;
    seen.leads = leads;
    const by = `${replica} leads term ${term} by configuration ${inForce.id}, ${describe(inForce)}`;
    if (newlyElected) {
      const votes = new Set([pairOf(self), ...(this.#votes.get(candidacy(term, self)) ?? [])]);
      if (!isQuorum(inForce, votes)) {
        return `${by}, but only ${[...votes].map(nameOf).join(', ')} voted for it`;
      }
    }
    if (term < this.#committedTerm) return null;
    const apart = disjointQuorums(inForce, committed);
    if (apart === null) return null;
    const [here, there] = apart.map((pairs) => pairs.map(nameOf).join(', '));
    return `${by}, but ${committed.id} is committed, ${describe(committed)}: ${here} and ${there} could decide apart`;
  }
}

function candidacy(term: Term, candidate: { id: NodeId; incarnation: string }): string {
  return `${term} ${pairOf(candidate)}`;
}

function nameOf(pair: string): string {
  return pair.slice(0, pair.indexOf('/'));
}

function sameConfiguration(a: Configuration, b: Configuration): boolean {
  return a === b || (a.id === b.id && configurationDigest(a) === configurationDigest(b));
}

function describe({ voters, outgoing, learners }: Configuration): string {
  const named = (set: readonly { id: NodeId }[]): string => set.map(({ id }) => id).join(' ') || 'nobody';
  return (
    `voters ${named(voters)}` +
    (outgoing.length === 0 ? '' : ` with outgoing ${named(outgoing)}`) +
    (learners.length === 0 ? '' : ` and learners ${named(learners)}`)
  );
}
