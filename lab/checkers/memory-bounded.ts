import { backlogBytes } from '../../src/raft/backlog.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import { cacheBytes } from '../../src/raft/log.ts';
import { uncommittedBytes } from '../../src/raft/proposals.ts';
import type { RaftState } from '../../src/raft/state.ts';
import type { Checker, Violation, WorldObservation } from './checker.ts';

export interface MemoryBounds {
  readonly pendingRequestsMax: number;
  /** Requests that wait for their outcome at the replica of this machine. */
  readonly pendingRequests: (machine: NodeId) => number;
}

/**
 * Whatever is slow and however much is asked, no replica holds more than its options allow: after each of its steps
 * every queue that entries pass is compared with its bound. Each bound may be passed by what always fits (one
 * command, one message), and by entries that are never refused: a term's first one, and configurations.
 *
 * Does not check: what the world's own transport and storage hold for it, and what the state machine holds.
 */
export class MemoryBounded implements Checker {
  readonly name = 'memory-bounded';
  readonly property =
    'Slow disks, links and peers, and too many requests, make no replica hold more than its limits.';
  readonly #bounds: MemoryBounds;

  constructor(bounds: MemoryBounds) {
    this.#bounds = bounds;
  }

  observe(world: WorldObservation): Violation | null {
    if (world.kind !== 'replica' || world.observation.kind !== 'step') return null;
    const { replica, atMs } = world;
    const pending = this.#bounds.pendingRequests(replica);
    const found: Finding | undefined = [
      ...held(world.observation.state),
      { what: 'requests that wait', holds: pending, atMost: this.#bounds.pendingRequestsMax },
    ].find(({ holds, atMost }) => holds > atMost);
    if (found === undefined) return null;
    const sentence = `${replica} holds ${found.holds} ${found.what}; at most ${found.atMost} were allowed`;
    return { checker: this.name, sentence, atMs };
  }

  finish(): Violation | null {
    return null;
  }
}

interface Finding {
  readonly what: string;
  readonly holds: number;
  readonly atMost: number;
}

function held(state: RaftState): Finding[] {
  const { options, receiving } = state;
  const slack = options.messageBytesMax;
  const uncommittedMax = options.uncommittedBytesMax + slack;
  const backlogMax = options.diskBacklogBytesMax + slack;
  // What may not leave the cache, and the third that evicting waits for.
  const pinnedMax = uncommittedMax + backlogMax + options.applyBytesMax;
  const cacheMax = Math.max(options.cacheBytesMax, Math.ceil((pinnedMax * 4) / 3)) + slack;
  return [
    { what: 'uncommitted bytes', holds: uncommittedBytes(state), atMost: uncommittedMax },
    { what: 'bytes that wait for its disk', holds: backlogBytes(state), atMost: backlogMax },
    { what: 'bytes of cached entries', holds: cacheBytes(state.log), atMost: cacheMax },
    {
      what: 'chunks of a snapshot that wait',
      holds: receiving?.waiting.length ?? 0,
      atMost: options.snapshotChunksInflightMax + 1,
    },
    ...state.progress.flatMap(({ member, inflight, inflightBytes }) => [
      {
        what: `appends under way to ${member.id}`,
        holds: inflight.length,
        atMost: options.inflightMessagesMax,
      },
      {
        what: `bytes under way to ${member.id}`,
        holds: inflightBytes,
        // Besides the window what an earlier leader left its disk to write.
        atMost: Math.max(options.inflightBytesMax, backlogMax) + slack,
      },
    ]),
  ];
}
