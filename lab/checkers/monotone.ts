import type { Index, Term } from '../../src/raft/entry.ts';
import type { MemberId, NodeId } from '../../src/raft/identity.ts';
import { sameMember } from '../../src/raft/identity.ts';
import type { Envelope } from '../../src/raft/message.ts';
import type { RaftState } from '../../src/raft/state.ts';
import type { RecoveredLog, StorageIdentity } from '../../src/storage/contract.ts';
import { type Checker, endsProcess, type Violation, type WorldObservation } from './checker.ts';

/** What one boot had reached when last seen. */
interface Reached {
  term: Term;
  vote: MemberId | null;
  commitIndex: Index;
  appliedIndex: Index;
}

/** What one disk has to remember of what its replica told others, which binds it through every restart. */
interface Said {
  boot: number;
  /** The highest term it made a promise in. */
  term: Term;
  readonly votes: Map<Term, MemberId>;
}

/**
 * Within a boot: term, commit index and applied index never go back, and a vote given is not taken back
 * within its term. Across boots: the boot number grows, and the replica comes back in no lower a term,
 * and with the same vote, as it promised others in a message. No member votes twice in a term, not even
 * with a copy of its disk, or with one that was set back.
 *
 * Does not check: promises never sent (persisted-survives); what a disk remembers that was emptied, which
 * makes another member of it, or set back, which is a fault and no mistake of the replica's.
 */
export class Monotone implements Checker {
  readonly name = 'monotone';
  readonly property =
    'Term, vote within a term, commit index and applied index never go back (paper 5.1, 5.2, 5.3).';
  readonly #reached = new Map<NodeId, Reached>();
  /** By member and machine. */
  readonly #said = new Map<string, Said>();
  /** Of each member in each term, on whatever machine it was cast. */
  readonly #votes = new Map<string, Map<Term, MemberId>>();

  observe(world: WorldObservation): Violation | null {
    const { replica, atMs } = world;
    if (world.kind !== 'replica') {
      if (endsProcess(world)) this.#reached.delete(replica);
      if (world.kind === 'rolled-back') this.#forget(replica);
      return null;
    }
    const { observation } = world;
    let sentence: string | null = null;
    if (observation.kind === 'opened') {
      const { identity, recovered, appliedIndex } = observation;
      sentence = this.#checkOpened(replica, identity, recovered);
      const { term, votedFor } = recovered.hardState;
      this.#reached.set(replica, { term, vote: votedFor, commitIndex: appliedIndex, appliedIndex });
    } else if (observation.kind === 'sent') {
      sentence = this.#noteSaid(replica, observation.envelope);
    } else if (observation.kind === 'step') {
      sentence = this.#checkStep(replica, observation.state);
    }
    return sentence === null ? null : { checker: this.name, sentence, atMs };
  }

  finish(): Violation | null {
    return null;
  }

  #checkOpened(
    replica: NodeId,
    identity: StorageIdentity,
    { hardState }: Pick<RecoveredLog, 'hardState'>,
  ): string | null {
    const said = this.#saidBy(replica, identity);
    const { boot: earlierBoot } = said;
    said.boot = identity.boot;
    if (identity.boot <= earlierBoot) {
      return `${replica} opened with boot ${identity.boot}, after boot ${earlierBoot}`;
    }
    if (hardState.term < said.term) {
      return `${replica} made promises in term ${said.term} and came back in term ${hardState.term}`;
    }
    const vote = said.votes.get(hardState.term);
    if (!vote || (hardState.votedFor && sameMember(vote, hardState.votedFor))) return null;
    return `${replica} told ${vote.id} its vote of term ${hardState.term} and came back with ${voteFor(hardState.votedFor)}`;
  }

  #noteSaid(replica: NodeId, { from, to, message }: Envelope): string | null {
    switch (message.kind) {
      case 'RequestVote':
        return this.#noteVote(replica, from, from, message.term);
      case 'VoteResponse': {
        if (!message.granted || to.incarnation === null) return null;
        return this.#noteVote(replica, from, { id: to.id, incarnation: to.incarnation }, message.term);
      }
      case 'AppendEntries':
      case 'Heartbeat':
      case 'InstallSnapshot':
        this.#noteTerm(replica, from, message.term);
        return null;
      case 'AppendEntriesResponse':
        if (message.accepted && message.matchIndex > 0) this.#noteTerm(replica, from, message.term);
        return null;
      case 'HeartbeatResponse':
        if (message.matchIndex > 0) this.#noteTerm(replica, from, message.term);
        return null;
      default:
        return null;
    }
  }

  #noteVote(replica: NodeId, voter: MemberId, candidate: MemberId, term: Term): string | null {
    const vote = { id: candidate.id, incarnation: candidate.incarnation };
    const said = this.#noteTerm(replica, voter, term);
    if (!said.votes.has(term)) said.votes.set(term, vote);
    const key = `${voter.id}/${voter.incarnation}`;
    const votes = this.#votes.get(key) ?? new Map<Term, MemberId>();
    this.#votes.set(key, votes);
    const earlier = votes.get(term);
    if (!earlier) votes.set(term, vote);
    if (!earlier || sameMember(earlier, candidate)) return null;
    return `${voter.id} voted twice in term ${term}: for ${earlier.id} and for ${candidate.id}`;
  }

  #noteTerm(replica: NodeId, member: MemberId, term: Term): Said {
    const said = this.#saidBy(replica, member);
    if (term > said.term) said.term = term;
    return said;
  }

  #saidBy(replica: NodeId, { id, incarnation }: MemberId): Said {
    const key = `${id}/${incarnation} on ${replica}`;
    let said = this.#said.get(key);
    if (!said) {
      said = { boot: 0, term: 0, votes: new Map() };
      this.#said.set(key, said);
    }
    return said;
  }

  #forget(replica: NodeId): void {
    for (const key of [...this.#said.keys()]) if (key.endsWith(` on ${replica}`)) this.#said.delete(key);
  }

  #checkStep(replica: NodeId, { hardState, commitIndex, appliedIndex }: RaftState): string | null {
    const reached = this.#reached.get(replica);
    if (!reached) return null;
    const { term, votedFor } = hardState;
    if (term < reached.term) return `${replica} went from term ${reached.term} back to term ${term}`;
    if (
      term === reached.term &&
      reached.vote &&
      !(votedFor && (votedFor === reached.vote || sameMember(votedFor, reached.vote)))
    ) {
      return `${replica} had ${voteFor(reached.vote)} in term ${term} and now has ${voteFor(votedFor)}`;
    }
    if (commitIndex < reached.commitIndex) {
      return `${replica} moved its commit index from ${reached.commitIndex} back to ${commitIndex}`;
    }
    if (appliedIndex < reached.appliedIndex) {
      return `${replica} moved its applied index from ${reached.appliedIndex} back to ${appliedIndex}`;
    }
    reached.term = term;
    reached.vote = votedFor;
    reached.commitIndex = commitIndex;
    reached.appliedIndex = appliedIndex;
    return null;
  }
}

function voteFor(member: MemberId | null): string {
  return member ? `a vote for ${member.id}` : 'no vote';
}
