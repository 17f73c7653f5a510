import { join } from 'node:path';
import { RaftNode, snapshotPolicy } from '../../src/index.ts';
import { fileStorage } from '../../src/storage/index.ts';
import { memoryNetwork } from '../../src/transport/index.ts';

export const ids = ['n1', 'n2', 'n3'] as const;
export type Id = (typeof ids)[number];

/** Numbers, in the order in which they were first added. */
class Numbers {
  readonly held = new Set<number>();

  apply(number: number): number {
    this.held.add(number);
    return this.held.size;
  }

  query(): number {
    return this.held.size;
  }

  snapshot(): Iterable<Uint8Array> {
    return [Buffer.from(JSON.stringify([...this.held]))];
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    this.held.clear();
    for (const number of JSON.parse(Buffer.concat(parts).toString()) as number[]) this.held.add(number);
  }
}

export interface Running {
  readonly node: RaftNode<number, number, undefined, number>;
  readonly numbers: Numbers;
  /** What became of damage that it found, each time. */
  readonly outcomes: string[];
}

/** Three nodes of this process, each on a real directory; small segments and many snapshots. */
export class DirectoryCluster {
  readonly running = new Map<Id, Running>();
  /** Proposed and acknowledged. */
  readonly acknowledged: number[] = [];
  readonly #network = memoryNetwork();
  readonly #directory: string;
  readonly #backend: 'files' | 'level';
  #lastNumber = 0;

  constructor(directory: string, backend: 'files' | 'level') {
    this.#directory = directory;
    this.#backend = backend;
  }

  directoryOf(id: Id): string {
    return join(this.#directory, id);
  }

  async open(id: Id): Promise<Running> {
    const numbers = new Numbers();
    const node = await RaftNode.open<number, number, undefined, number>({
      id,
      bootstrap: { members: ids.map((member) => ({ id: member, address: member })) },
      storage: fileStorage({
        directory: this.directoryOf(id),
        backend: this.#backend,
        segmentBytes: 16 * 1024,
      }),
      transport: this.#network.transport(id),
      stateMachine: numbers,
      snapshots: snapshotPolicy({ entries: 200, keepEntries: 100 }),
      raft: { electionTimeoutMinMs: 300, electionTimeoutMaxMs: 600, heartbeatIntervalMs: 40 },
    });
    const running: Running = { node, numbers, outcomes: [] };
    node.on('damage-repaired', ({ by }) => running.outcomes.push(`made whole by ${by}`));
    node.on('damage-covered', () => running.outcomes.push('covered by its snapshot'));
    node.on('storage-put-aside', () => running.outcomes.push('put aside, came back as another server'));
    this.running.set(id, running);
    return running;
  }

  async close(id: Id): Promise<void> {
    await this.running.get(id)?.node.close();
    this.running.delete(id);
  }

  /** One after another, through whoever leads; what is not acknowledged is not tried again. */
  async write(count: number): Promise<void> {
    const until = this.acknowledged.length + count;
    const givesUpAt = performance.now() + 60_000;
    while (this.acknowledged.length < until) {
      if (performance.now() > givesUpAt) throw new Error(`nobody takes writes: ${this.describe()}`);
      const leader = [...this.running.values()].find(({ node }) => node.status().role === 'leader');
      this.#lastNumber += 1;
      const number = this.#lastNumber;
      const done = await leader?.node.propose(number, { timeoutMs: 2_000 }).then(
        () => true,
        () => false,
      );
      if (done) this.acknowledged.push(number);
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  missingOn({ numbers }: Running): number[] {
    return this.acknowledged.filter((number) => !numbers.held.has(number));
  }

  /**
   * It holds all that was acknowledged, lacks nothing, and is a voter; and the change that made it one has ended:
   * in the middle of it the loss of one more would be too many.
   */
  async whole(id: Id): Promise<void> {
    const givesUpAt = performance.now() + 60_000;
    for (;;) {
      const one = this.running.get(id);
      if (one !== undefined) {
        const { damage, configuration } = one.node.status();
        const isVoter = configuration.voters.some(
          (voter) => voter.incarnation === one.node.status().incarnation,
        );
        const isSettled = [...this.running.values()].every(({ node }) => {
          const { change, configuration: known } = node.status();
          return change === null && known.outgoing.length === 0;
        });
        if (damage === null && isVoter && isSettled && this.missingOn(one).length === 0) return;
      }
      if (performance.now() > givesUpAt) throw new Error(`${id} does not come back: ${this.describe()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  describe(): string {
    return JSON.stringify([...this.running].map(([id, { node }]) => [id, node.status()]));
  }
}
