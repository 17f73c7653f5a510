// One replica of the overload bench, in a process of its own; driven over IPC by its parent.
import { Overloaded, RaftNode } from 'kontiki';
import { fileStorage } from 'kontiki/storage';
import { tcpTransport } from 'kontiki/transport';
import { nodeClock } from '../src/doors/node-clock.ts';
import { answersParent } from './child.ts';

/** What the parent asks. */
export type Ask =
  | {
      readonly kind: 'open';
      readonly id: string;
      readonly members: readonly { readonly id: string; readonly address: string }[];
      readonly directory: string;
    }
  /** What it does when `callers` wait for each answer. */
  | { readonly kind: 'capacity'; readonly callers: number; readonly seconds: number }
  /** So many per second, however long others wait. */
  | { readonly kind: 'burst'; readonly perSecond: number; readonly seconds: number }
  /** The most memory it held since it was last asked. */
  | { readonly kind: 'peak' }
  | { readonly kind: 'close' };

/** What it is told. */
export type Answer =
  | { readonly kind: 'role'; readonly leads: boolean }
  | { readonly kind: 'capacity'; readonly perSecond: number }
  | {
      readonly kind: 'burst';
      readonly offered: number;
      readonly acknowledged: number;
      /** By the bound that was met. */
      readonly refused: Readonly<Record<string, number>>;
      /** By the name of the error. */
      readonly otherwise: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'peak'; readonly rssBytes: number }
  | { readonly kind: 'closed' };

const VALUE = new Uint8Array(1024).fill(120);
const LOOK_EVERY_MS = 20;
const OFFER_EVERY_MS = 5;
/** At most so much of the load is offered in one turn. */
const AT_ONCE_MS = 20;
const clock = nodeClock();
let node: RaftNode<Uint8Array, number, null, number> | null = null;
let peakBytes = 0;
let closing = false;

look();

answersParent(answer);

function look(): void {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  if (!closing) clock.setTimer(LOOK_EVERY_MS, look);
}

async function answer(ask: Ask): Promise<Answer> {
  if (ask.kind === 'peak') {
    const rssBytes = peakBytes;
    peakBytes = process.memoryUsage.rss();
    return { kind: 'peak', rssBytes };
  }
  if (ask.kind === 'open') {
    let applied = 0;
    const self = ask.members.find(({ id }) => id === ask.id);
    node = await RaftNode.open<Uint8Array, number, null, number>({
      id: ask.id,
      storage: fileStorage({ directory: ask.directory }),
      transport: tcpTransport({ listen: self?.address ?? '' }),
      stateMachine: {
        apply: () => {
          applied += 1;
          return applied;
        },
        query: () => applied,
      },
      bootstrap: { members: ask.members },
    });
    const leader = await node.waitForLeader({ timeoutMs: 30_000 });
    return { kind: 'role', leads: leader.id === ask.id };
  }
  if (node === null) throw new Error(`${ask.kind} before open`);
  if (ask.kind === 'capacity') return capacity(node, ask);
  if (ask.kind === 'burst') return burst(node, ask);
  closing = true;
  await node.close();
  return { kind: 'closed' };
}

async function capacity(
  leader: RaftNode<Uint8Array, number, null, number>,
  { callers, seconds }: Extract<Ask, { kind: 'capacity' }>,
): Promise<Answer> {
  let count = 0;
  const startedAt = clock.now();
  const call = async (): Promise<void> => {
    while (clock.now() < startedAt + seconds * 1000) {
      await leader.propose(VALUE);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return { kind: 'capacity', perSecond: (count / (clock.now() - startedAt)) * 1000 };
}

async function burst(
  leader: RaftNode<Uint8Array, number, null, number>,
  { perSecond, seconds }: Extract<Ask, { kind: 'burst' }>,
): Promise<Answer> {
  let offered = 0;
  let acknowledged = 0;
  const otherwise: Record<string, number> = {};
  const refused: Record<string, number> = {};
  const all = new Set<Promise<void>>();
  const offer = (): void => {
    // A command of its own for each: what waits is really there.
    const outcome = leader.propose(new Uint8Array(VALUE)).then(
      () => {
        acknowledged += 1;
      },
      (error: unknown) => {
        if (error instanceof Overloaded) refused[error.reason] = (refused[error.reason] ?? 0) + 1;
        else {
          const name = error instanceof Error ? error.name : String(error);
          otherwise[name] = (otherwise[name] ?? 0) + 1;
        }
      },
    );
    const ended = outcome.finally(() => all.delete(ended));
    all.add(ended);
    offered += 1;
  };
  const atOnceMax = Math.ceil((perSecond * AT_ONCE_MS) / 1000);
  let missed = 0;
  const startedAt = clock.now();
  await new Promise<void>((resolve) => {
    const round = (): void => {
      const elapsedMs = clock.now() - startedAt;
      if (elapsedMs >= seconds * 1000) {
        resolve();
        return;
      }
      // What this thread is too late for is not made up for: a caller that never lets go of it stops the replica, too.
      const due = Math.floor((elapsedMs / 1000) * perSecond) - missed - offered;
      const now = Math.min(due, atOnceMax);
      missed += due - now;
      for (let count = 0; count < now; count += 1) offer();
      clock.setTimer(OFFER_EVERY_MS, round);
    };
    round();
  });
  await Promise.all(all);
  return { kind: 'burst', offered, acknowledged, refused, otherwise };
}
