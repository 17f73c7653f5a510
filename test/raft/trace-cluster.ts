import type { Member } from '../../src/raft/configuration.ts';
import { describeEnvelope } from '../../src/raft/describe.ts';
import type { Index, Term } from '../../src/raft/entry.ts';
import type { Envelope } from '../../src/raft/message.ts';
import type { RaftOptions } from '../../src/raft/options.ts';
import type { FakeReplica } from './cluster.ts';
import { Cluster } from './cluster.ts';
import type { FakeDisk } from './fake-disk.ts';
import { clusterId, group, logOf, replica, votersOf } from './sample-log.ts';
import type { Link } from './trace-words.ts';

/** The log a replica of a trace starts with: entry 1 is the configuration, each entry has the given term. */
export interface GivenLog {
  readonly id: string;
  readonly terms: readonly Term[];
  /** The term in its hard state; null for that of its last entry. */
  readonly term: Term | null;
}

const votes = ['RequestPreVote', 'PreVoteResponse', 'RequestVote', 'VoteResponse'];

/** The cluster of bare cores with a network that loses, holds, repeats and parts what is under way. */
export class TraceCluster extends Cluster {
  /** What happened to a message on its way, one line each. */
  onTold: (line: string) => void = () => {};
  #held: Envelope[] = [];
  #sides: readonly (readonly string[])[] = [];
  readonly #cuts: Link[] = [];
  readonly #copies = new Map<string, FakeDisk>();

  constructor(
    founders: readonly string[],
    newcomers: readonly string[],
    options: Partial<RaftOptions>,
    logs: readonly GivenLog[],
    priorities: ReadonlyMap<string, number> = new Map(),
  ) {
    const configuration = votersOf(...founders);
    const stranger = logs.find(({ id }) => !founders.includes(id));
    if (stranger !== undefined) throw new Error(`${stranger.id} is no founder, so it starts with no log`);
    super([...founders, ...newcomers], {
      options,
      optionsOf: (id) => {
        const electionPriority = priorities.get(id);
        return electionPriority === undefined ? {} : { electionPriority };
      },
      start: (id) => {
        const given = logs.find((log) => log.id === id);
        if (newcomers.includes(id)) return { entries: [], hardState: { term: 0, votedFor: null } };
        const entries = logOf(configuration, given?.terms ?? [1]);
        return { entries, hardState: { term: given?.term ?? entries.at(-1)?.term ?? 1, votedFor: null } };
      },
    });
  }

  /** As that does, but an answer to a request to join is for whoever embeds the core. */
  override deliver(envelope: Envelope): void {
    const { to, message } = envelope;
    const isDown = this.replica(to.id).core === null;
    if (this.paused.has(to.id)) this.onTold(`waits for ${to.id}: ${describeEnvelope(envelope)}`);
    if (isDown) this.onTold(`lost, since ${to.id} is down: ${describeEnvelope(envelope)}`);
    if (message.kind !== 'JoinAnswer') super.deliver(envelope);
    else this.network = this.network.filter((other) => other !== envelope);
  }

  readonly passes = ({ from, to }: Envelope): boolean =>
    this.#sideOf(from.id) === this.#sideOf(to.id) &&
    !this.#cuts.some((link) => link.from === from.id && link.to === to.id);

  /** Whoever is named nowhere is on one more side. */
  partition(sides: readonly (readonly string[])[]): void {
    for (const id of sides.flat()) this.replica(id);
    this.#sides = sides;
  }

  /** Nothing passes there any more, one way. */
  cut(link: Link): void {
    for (const id of [link.from, link.to]) this.replica(id);
    this.#cuts.push(link);
  }

  mend(): void {
    this.#sides = [];
    this.#cuts.length = 0;
  }

  /** Time passes for `id` alone until it has won, and only messages about votes arrive. */
  electByVotes(id: string): void {
    if (this.core(id).state.role === 'leader') throw new Error(`${id} leads already`);
    for (let attempt = 0; attempt < 20; attempt += 1) {
      if (this.core(id).state.role === 'leader') return;
      this.fire(id);
      for (let next = this.#nextVote(); next !== undefined; next = this.#nextVote()) this.#arrive(next);
    }
    throw new Error(`${id} does not become leader`);
  }

  deliverAll(link: Link): void {
    for (const envelope of this.#on(link, this.network)) this.#arrive(envelope);
  }

  drop(link: Link): void {
    for (const envelope of this.#on(link, this.network)) this.#take(envelope, 'dropped');
  }

  hold(link: Link): void {
    for (const envelope of this.#on(link, this.network)) this.#held.push(this.#take(envelope, 'held'));
  }

  /** What was held arrives now. */
  release(link: Link): void {
    const released = this.#on(link, this.#held);
    this.#held = this.#held.filter((envelope) => !released.includes(envelope));
    for (const envelope of released) this.#arrive(envelope);
  }

  /** A copy arrives; the message itself stays under way. */
  duplicate(link: Link): void {
    for (const envelope of this.#on(link, this.network)) this.#arrive({ ...envelope });
  }

  /** `life` 1 is the first disk of `id`, 2 the one after it was emptied; whoever runs on it asks. */
  askToJoin(
    id: string,
    to: string,
    as: { readonly life: number | null; readonly address: string | null },
  ): void {
    const { core, disk } = this.replica(id);
    const life = as.life ?? disk.life;
    const running = life === disk.life ? core : null;
    if (as.life === null && core === null) throw new Error(`${id} is down`);
    const lastLogIndex = running?.state.log.lastIndex ?? 0;
    const envelope: Envelope = {
      clusterId: lastLogIndex > 0 ? clusterId : null,
      group,
      from: running?.state.self ?? replica(id, 1, life),
      to: { id: this.replica(to).id, incarnation: null },
      message: { kind: 'JoinRequest', address: as.address ?? `${id}:1`, metadata: {}, lastLogIndex },
    };
    this.network.push(envelope);
    this.onTold(describeEnvelope(envelope));
  }

  /** The pair that runs on the present disk of `id`. */
  memberOf(id: string): Member {
    const { disk } = this.replica(id);
    return { id, incarnation: replica(id, 1, disk.life).incarnation, address: `${id}:1` };
  }

  /** Its clock reads so much less from now on, and it sees that. */
  setClockBack(id: string, byMs: number): void {
    this.setClock(id, { byMs: -byMs });
    const target = this.replica(id);
    this.core(id).tick(this.timeOf(target));
    this.drain(target);
  }

  crashRunning(id: string): void {
    this.core(id);
    this.crash(id);
  }

  restart(id: string): void {
    this.crash(id);
    this.start(id);
  }

  copyDisk(id: string): void {
    this.#copies.set(id, structuredClone(this.replica(id).disk));
  }

  /** The process dies and comes back on the copy of its disk. */
  rollBackDisk(id: string): void {
    const copy = this.#copies.get(id);
    if (copy === undefined) throw new Error(`the disk of ${id} was not copied`);
    this.crash(id);
    this.replica(id).disk = structuredClone(copy);
    this.start(id);
  }

  setDisk(id: string, speed: 'slow' | 'quick'): void {
    this.replica(id).disk.persistsAtOnce = speed === 'quick';
    if (speed === 'slow') return;
    this.persist(id);
    this.doChunks(id);
    this.doLoads(id);
  }

  setApplying(id: string, speed: 'slow' | 'quick'): void {
    this.replica(id).appliesAtOnce = speed === 'quick';
    if (speed === 'quick') this.applyOne(id);
  }

  /** A range of entries, or a snapshot, whichever its state machine was given. */
  applyOne(id: string): void {
    const target = this.replica(id);
    this.finishApply(target);
    this.finishRestore(target);
    this.drain(target);
  }

  /** Chunks of a snapshot that were handed to the disk are written. */
  doChunks(id: string, count = Number.POSITIVE_INFINITY): void {
    const target = this.replica(id);
    for (let done = 0; done < count && target.disk.chunks.length > 0; done += 1) {
      this.finishChunk(target);
      this.drain(target);
    }
  }

  /** What the core asked its disk for, entries or bytes of a snapshot, is read. */
  doLoads(id: string): void {
    const target = this.replica(id);
    while (target.loads.length + target.snapshotLoads.length > 0) {
      this.finishLoad(target);
      this.finishSnapshotLoad(target);
      this.drain(target);
    }
  }

  messages(): string[] {
    return this.network.map(describeEnvelope);
  }

  /** The terms of its log, entry by entry, and how far it is known to be committed. */
  termsOf({ core, disk }: FakeReplica): string {
    const before = (index: Index, term: Term): string[] => (index > 0 ? [`(${index}/${term})`] : []);
    if (core === null) {
      const { floor, entries } = disk;
      return [...before(floor.index, floor.term), ...entries.map(({ term }) => term), '| down'].join(' ');
    }
    const { log, commitIndex } = core.state;
    const terms = before(log.floorIndex, log.floorTerm);
    for (let index = log.floorIndex + 1; index <= log.lastIndex; index += 1) {
      terms.push(String(core.termAt(index)));
    }
    return `${terms.join(' ')} | committed ${commitIndex}`;
  }

  #nextVote(): Envelope | undefined {
    return this.network.find(({ message }) => votes.includes(message.kind));
  }

  #arrive(envelope: Envelope): void {
    if (this.passes(envelope)) this.deliver(envelope);
    else this.#take(envelope, 'lost in the partition');
  }

  #take(envelope: Envelope, how: string): Envelope {
    this.network = this.network.filter((other) => other !== envelope);
    this.onTold(`${how}: ${describeEnvelope(envelope)}`);
    return envelope;
  }

  #on({ from, to, kind, count }: Link, among: readonly Envelope[]): Envelope[] {
    this.replica(from);
    this.replica(to);
    const found = among.filter(
      (envelope) =>
        envelope.from.id === from &&
        envelope.to.id === to &&
        (kind === null || envelope.message.kind === kind),
    );
    if (found.length === 0) throw new Error(`no ${kind ?? 'message'} from ${from} to ${to}`);
    return found.slice(0, count);
  }

  #sideOf(id: string): number {
    return this.#sides.findIndex((side) => side.includes(id));
  }
}
