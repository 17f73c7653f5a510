import { confirmedRound } from '../../../src/raft/heartbeats.ts';
import type { RaftState } from '../../../src/raft/state.ts';
import type { Cluster } from '../cluster.ts';

/** Makes the cores of a cluster do what a wrong one would: their state or a message is changed behind their backs. */
export type Plant = (cluster: Cluster) => void;

/** Before each drain of a core. */
function inState(change: (state: RaftState) => void): Plant {
  return (cluster) => {
    cluster.beforeDrain = ({ core }) => {
      if (core !== null) change(core.state);
    };
  };
}

function grant(cluster: Cluster, id: string, mayBeGranted: (round: number) => boolean): void {
  const target = cluster.replica(id);
  const { state } = cluster.core(id);
  for (const { asker, round, readId } of state.reads) {
    if (asker !== null || round === null || !mayBeGranted(round)) continue;
    cluster.onGranted(target, { kind: 'read-granted', readId, index: state.commitIndex });
    state.reads = state.reads.filter((read) => read.readId !== readId);
  }
}

/** Known bugs of reads and leases (ZOO L1 to L5), one at a time. */
export const plantedBugs = {
  'a read is granted before an entry of the own term is committed (L1)': (cluster) => {
    cluster.beforeDrain = ({ id, core }) => {
      if (core?.state.role !== 'leader') return;
      grant(cluster, id, (round) => round <= confirmedRound(core.state));
    };
  },
  'a read is granted without a round (L2)': (cluster) => {
    cluster.beforeDrain = ({ id, core }) => {
      if (core?.state.role === 'leader' && core.state.commitIndex >= core.state.termStartIndex) {
        grant(cluster, id, () => true);
      }
    };
  },
  'a read is granted by the round that is under way already': inState((state) => {
    for (const read of state.reads) {
      if (read.round === state.lastRound + 1) read.round = state.lastRound;
    }
  }),
  'the lease goes on after a TimeoutNow': inState((state) => {
    if (!state.leaseForfeited) return;
    // Given up at once, so that the invariants, which would tell, see nothing of it.
    state.leaseForfeited = false;
    state.leadershipTransfer = null;
    state.timers.leadershipTransfer = null;
  }),
  'the lease outlives a clock that went back (L3)': (cluster) => {
    const kept = new Map<string, (number | null)[]>();
    cluster.beforeDrain = ({ id, core }) => {
      if (core === null) return;
      const { progress, self, hardState, freshness, now } = core.state;
      const key = `${id} ${self.boot} ${hardState.term}`;
      const before = kept.get(key) ?? [];
      for (const [position, one] of progress.entries()) {
        if (freshness.anomalyAt === now) one.promisedUntil ??= before[position] ?? null;
      }
      kept.set(
        key,
        progress.map(({ promisedUntil }) => promisedUntil),
      );
    };
  },
  'the lease allows for no drift': inState((state) => {
    for (const one of state.progress) {
      if (one.contactAt !== null) one.promisedUntil = one.contactAt + state.options.electionTimeoutMinMs;
    }
  }),
  'the lease runs from when the answer came': (cluster) => {
    cluster.asHeard = (envelope) => {
      const { message, to } = envelope;
      if (message.kind !== 'HeartbeatResponse') return envelope;
      const target = cluster.replica(to.id);
      const sent = target.core?.state.rounds.find(({ round }) => round === message.round);
      const late = sent === undefined ? 0 : cluster.timeOf(target) - sent.sentAt;
      const { clockDriftMaxRatio } = cluster.options;
      const promiseMs = message.promiseMs + late / (1 - (clockDriftMaxRatio ?? 0));
      return { ...envelope, message: { ...message, promiseMs } };
    };
  },
  'a promise is forgotten by a restart': inState((state) => {
    state.silentUntil = 0;
  }),
  'a promise is not kept': (cluster) => {
    cluster.asHeard = (envelope) =>
      envelope.message.kind === 'RequestVote'
        ? { ...envelope, message: { ...envelope.message, leadershipTransfer: true } }
        : envelope;
  },
  'a vote for a transfer looks at no log': (cluster) => {
    cluster.asHeard = (envelope) =>
      envelope.message.kind === 'RequestVote' && envelope.message.leadershipTransfer
        ? { ...envelope, message: { ...envelope.message, lastLogIndex: 1_000_000, lastLogTerm: 1_000_000 } }
        : envelope;
  },
  'the stamp of an earlier boot is believed': (cluster) => {
    cluster.asHeard = (envelope) => {
      const { message } = envelope;
      if (message.kind !== 'Heartbeat' || message.freshness === null) return envelope;
      const { boot } = cluster.replica(envelope.to.id).disk;
      return { ...envelope, message: { ...message, freshness: { ...message.freshness, boot } } };
    };
  },
  'a stamp is proven by a round sent before it': inState((state) => {
    for (const one of state.progress) {
      if (one.stamped !== null) one.stamped = { ...one.stamped, round: 0 };
    }
  }),
  'a stamp outlives a clock that went back': inState((state) => {
    state.freshness.anomalyAt = null;
  }),
  'what is not applied counts as fresh': inState((state) => {
    const { freshness } = state;
    if (freshness.applying !== null) freshness.proven = freshness.applying;
  }),
} satisfies Record<string, Plant>;

export type PlantedBug = keyof typeof plantedBugs;
