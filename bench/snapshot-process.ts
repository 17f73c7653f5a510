// One replica of the snapshot bench, in a process of its own; driven over IPC by its parent.
import { RaftNode, snapshotPolicy } from 'kontiki';
import { fileStorage } from 'kontiki/storage';
import { tcpTransport } from 'kontiki/transport';
import { nodeClock } from '../src/doors/node-clock.ts';
import { answersParent } from './child.ts';
import { GeneratedState } from './generated-state.ts';

/** What the parent asks. */
export type Ask =
  | {
      readonly kind: 'open';
      readonly id: string;
      readonly address: string;
      readonly directory: string;
      readonly stateBytes: number;
      /** null: it founds the cluster by itself. */
      readonly seed: { readonly id: string; readonly address: string } | null;
    }
  /** Take a snapshot of the state. */
  | { readonly kind: 'snapshot' }
  /** Admit a learner. */
  | { readonly kind: 'admit'; readonly id: string }
  /** Wait until the state was restored from a snapshot. */
  | { readonly kind: 'restored' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'close' };

/** What it is told. */
export type Answer =
  | { readonly kind: 'done'; readonly ms: number }
  | { readonly kind: 'memory'; readonly rssBytes: number; readonly peakRssBytes: number };

const WAIT_MS = 30 * 60_000;
const clock = nodeClock();
let node: RaftNode<null, null, null, number> | null = null;
let tellRestored = (): void => {};
const restored = new Promise<void>((resolve) => {
  tellRestored = resolve;
});

answersParent(answer);

async function answer(ask: Ask): Promise<Answer> {
  if (ask.kind === 'memory') {
    const { maxRSS } = process.resourceUsage();
    return { kind: 'memory', rssBytes: process.memoryUsage.rss(), peakRssBytes: maxRSS * 1024 };
  }
  const startedAt = clock.now();
  await carryOut(ask);
  return { kind: 'done', ms: clock.now() - startedAt };
}

async function carryOut(ask: Exclude<Ask, { kind: 'memory' }>): Promise<void> {
  if (ask.kind === 'open') {
    node = await open(ask);
    return;
  }
  if (node === null) throw new Error(`${ask.kind} before open`);
  if (ask.kind === 'snapshot') {
    if ((await node.snapshot()) === null) throw new Error('there was nothing to take a snapshot of');
  } else if (ask.kind === 'admit') {
    await node.changeMembership({ add: [{ id: ask.id, role: 'learner' }] }, { timeoutMs: WAIT_MS });
  } else if (ask.kind === 'restored') {
    await restored;
  } else {
    await node.close();
  }
}

async function open(ask: Extract<Ask, { kind: 'open' }>): Promise<RaftNode<null, null, null, number>> {
  const { id, address, directory, seed } = ask;
  const opened = await RaftNode.open<null, null, null, number>({
    id,
    storage: fileStorage({ directory }),
    transport: tcpTransport({ listen: address }),
    stateMachine: new GeneratedState(ask.stateBytes, tellRestored),
    // Nothing is kept behind a snapshot, so whoever joins needs it; and none is taken but when asked for.
    snapshots: snapshotPolicy({ entries: Number.MAX_SAFE_INTEGER, keepEntries: 0 }),
    ...(seed === null ? { bootstrap: { members: [{ id, address }] } } : { join: { seeds: [seed] } }),
  });
  if (seed === null) {
    await opened.waitForLeader({ timeoutMs: 30_000 });
    await opened.propose(null);
  }
  return opened;
}
