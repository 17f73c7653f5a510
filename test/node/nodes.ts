import { RaftNode, type RaftNodeEvents, type RaftNodeOptions, type StateMachine } from '../../src/index.ts';
import type { Storage } from '../../src/storage/index.ts';
import { memoryStorage } from '../../src/storage/index.ts';
import { type MemoryNetwork, memoryNetwork } from '../../src/transport/index.ts';
import { changedInstance } from './changed-instance.ts';

export type Node = RaftNode<number, number, string, number>;
export type Options = RaftNodeOptions<number, number, string, number>;

/** Adds numbers; its snapshot is the sum, in as many chunks as it has digits. */
export class Total implements StateMachine<number, number, string, number> {
  total = 0;
  applied = 0;
  restored = 0;

  apply(amount: number): number {
    this.total += amount;
    this.applied += 1;
    return this.total;
  }

  query(): number {
    return this.total;
  }

  /** The state as of this call, whatever is applied before the first chunk is read. */
  snapshot(): Iterable<Uint8Array> {
    return [...String(this.total)].map((digit) => Buffer.from(digit));
  }

  async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let text = '';
    for await (const chunk of chunks) text += Buffer.from(chunk).toString();
    this.total = Number(text);
    this.restored += 1;
  }
}

/** Patient enough for a machine that does other things as well: a leader lost for that would be no finding. */
const fast = { electionTimeoutMinMs: 400, electionTimeoutMaxMs: 800, heartbeatIntervalMs: 30 };

/** Nodes on one memory network, by id; each id is its address unless told otherwise. */
export class Nodes {
  readonly network: MemoryNetwork = memoryNetwork();
  readonly #open = new Set<Node>();

  async open({ at, ...options }: Partial<Options> & { id: string; at?: string }): Promise<Node> {
    const node: Node = await RaftNode.open<number, number, string, number>({
      storage: memoryStorage(),
      transport: this.network.transport(at ?? options.id),
      stateMachine: new Total(),
      ...options,
      raft: { ...fast, ...options.raft },
    });
    this.#open.add(node);
    return node;
  }

  /** The first members of one cluster; resolves once one of them leads. */
  async found(
    ids: readonly string[],
    options: (id: string) => Partial<Options> = () => ({}),
  ): Promise<{ nodes: Node[]; leader: Node; followers: Node[] }> {
    const members = ids.map((id) => ({ id, address: id }));
    const nodes = await Promise.all(
      ids.map((id) => this.open({ id, bootstrap: { members }, ...options(id) })),
    );
    const leader = await eventually(() => nodes.find((node) => node.status().role === 'leader'));
    await eventually(() => (nodes.every((node) => node.status().leader !== null) ? true : undefined));
    return { nodes, leader, followers: nodes.filter((node) => node !== leader) };
  }

  async close(): Promise<void> {
    const nodes = [...this.#open];
    this.#open.clear();
    await Promise.all(nodes.map((node) => node.close()));
  }
}

export async function eventually<T>(look: () => T | undefined): Promise<T> {
  const until = performance.now() + 10_000;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > until) throw new Error('it did not happen within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The next event of that name. */
export function next<Name extends keyof RaftNodeEvents>(
  node: Node,
  name: Name,
): Promise<RaftNodeEvents[Name][0]> {
  return new Promise((resolve) => {
    (node as RaftNode<unknown, unknown, unknown, unknown>).once(name, ((event: RaftNodeEvents[Name][0]) =>
      resolve(event)) as never);
  });
}

export const truth = (condition: boolean): true | undefined => (condition ? true : undefined);

/** A storage whose next write of a snapshot fails as a disk does, as often as `failures` says. */
export function withFailingSnapshots(storage: Storage, faults: { failures: number }): Storage {
  return {
    async open(request) {
      return changedInstance(await storage.open(request), {
        snapshots: (snapshots) => ({
          write: async (at, chunks, expected) => {
            if (faults.failures === 0) return snapshots.write(at, chunks, expected);
            faults.failures -= 1;
            throw new Error('no space left on device');
          },
        }),
      });
    },
  };
}
