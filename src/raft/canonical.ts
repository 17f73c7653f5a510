import type { FreshAsOf } from './freshness.ts';
import type { RaftState } from './state.ts';

/**
 * The state as a string that is equal for states that behave alike: moments are told relative to now,
 * request ids relative to the oldest one outstanding, and what only counts for an observer is left out.
 * For hashing, and for exploring states without visiting one twice.
 */
export function canonical(state: RaftState): string {
  const { now, writes, persistedBytes } = state;
  const ago = (moment: number | null): number | null => (moment === null ? null : moment - now);
  const fresh = (one: FreshAsOf | null): object | null =>
    one === null ? null : { ...one, at: one.at - now };
  const requests = [
    ...state.progress.flatMap(({ loading, transfer }) => [loading, transfer?.loading?.loadId]),
    state.receiving?.transferId,
    ...state.reads.map(({ readId, asker }) => (asker === null ? readId : null)),
    state.asked?.readId,
    state.endAsked,
    state.leadershipTransfer?.leadershipTransferId,
    state.change?.changeId,
  ].flatMap((id) => (id == null ? [] : [id.sequence]));
  let oldest = writes[0]?.writeId.sequence ?? state.lastSequence + 1;
  for (const sequence of requests) if (sequence < oldest) oldest = sequence;

  const { electionTimeoutMinMs } = state.options;
  const heardAgo = ago(state.leaderHeardAt);
  return JSON.stringify(
    {
      ...state,
      options: undefined,
      now: 0,
      clockOffsetMs: 0,
      clockAnomalies: 0,
      drops: undefined,
      timers: {
        election: ago(state.timers.election),
        heartbeat: ago(state.timers.heartbeat),
        quorum: ago(state.timers.quorum),
        membership: ago(state.timers.membership),
        removal: ago(state.timers.removal),
        snapshotTransfer: ago(state.timers.snapshotTransfer),
        leadershipTransfer: ago(state.timers.leadershipTransfer),
        stall: ago(state.timers.stall),
      },
      // What has run out does not matter any more, however long ago.
      silentUntil: state.silentUntil > now ? state.silentUntil - now : 0,
      leaderHeardAt: heardAgo !== null && heardAgo > -electionTimeoutMinMs ? heardAgo : null,
      quorumConfirmedAt: ago(state.quorumConfirmedAt),
      rounds: state.rounds.map(({ round, sentAt }) => ({ round, sentAt: sentAt - now })),
      lastSequence: state.lastSequence + 1 - oldest,
      freshness: {
        proven: fresh(state.freshness.proven),
        applying: fresh(state.freshness.applying),
        anomalyAt: ago(state.freshness.anomalyAt),
      },
      reads: state.reads.map((read) =>
        read.asker === null ? { ...read, readId: read.readId.sequence - oldest } : read,
      ),
      asked:
        state.asked === null
          ? null
          : {
              ...state.asked,
              readId: state.asked.readId.sequence - oldest,
              askedAt: ago(state.asked.askedAt),
            },
      endAsked: state.endAsked === null ? null : state.endAsked.sequence - oldest,
      leadershipTransfer:
        state.leadershipTransfer === null
          ? null
          : {
              ...state.leadershipTransfer,
              leadershipTransferId: state.leadershipTransfer.leadershipTransferId.sequence - oldest,
            },
      stall: {
        ...state.stall,
        transferredAt: ago(state.stall.transferredAt),
      },
      leadingSince: ago(state.leadingSince),
      pacing: {
        ...state.pacing,
        until: state.pacing.until !== null && state.pacing.until > now ? state.pacing.until - now : null,
      },
      receiving:
        state.receiving === null
          ? null
          : { ...state.receiving, transferId: state.receiving.transferId.sequence - oldest },
      boots: state.boots.map((known) => ({ ...known, heardAt: ago(known.heardAt) })),
      newcomers: state.newcomers.map((newcomer) => ({ ...newcomer, heardAt: ago(newcomer.heardAt) })),
      change:
        state.change === null
          ? null
          : {
              ...state.change,
              changeId: state.change.changeId.sequence - oldest,
              quorumBy: ago(state.change.quorumBy),
              catchUp: state.change.catchUp.map((one) => ({
                ...one,
                roundStartedAt: ago(one.roundStartedAt),
                giveUpAt: ago(one.giveUpAt),
              })),
            },
      // They follow from the entries.
      log: { ...state.log, bytesThrough: undefined, bytesBefore: 0 },
      issuedBytes: state.issuedBytes - persistedBytes,
      persistedBytes: 0,
      writes: writes.map((write) => ({
        ...write,
        writeId: write.writeId.sequence - oldest,
        issuedBytes: write.issuedBytes - persistedBytes,
      })),
      progress: state.progress.map((progress) => ({
        ...progress,
        contactAt: ago(progress.contactAt),
        promisedUntil: ago(progress.promisedUntil),
        // Stamps are moments of another clock, and only that one makes anything of them.
        stamped: progress.stamped?.round ?? null,
        provenFreshness: progress.provenFreshness?.index ?? null,
        recoveringAt: ago(progress.recoveringAt),
        departing:
          progress.departing === null
            ? null
            : { ...progress.departing, until: progress.departing.until - now },
        loading: progress.loading === null ? null : progress.loading.sequence - oldest,
        transfer:
          progress.transfer === null
            ? null
            : {
                ...progress.transfer,
                progressAt: progress.transfer.progressAt - now,
                loading:
                  progress.transfer.loading === null
                    ? null
                    : {
                        ...progress.transfer.loading,
                        loadId: progress.transfer.loading.loadId.sequence - oldest,
                      },
              },
      })),
    },
    (_key, value: unknown) => (value instanceof Uint8Array ? [...value] : value),
  );
}
