import { backlogBytes } from './backlog.ts';
import { entryBytes } from './entry.ts';
import { sameMember } from './identity.ts';
import { bytesAfter, firstCachedIndex, lastTerm, termAt } from './log.ts';
import type { SnapshotTransfer } from './progress.ts';
import { uncommittedBytes } from './proposals.ts';
import { firstOwed, isStalled } from './stall.ts';
import type { RaftState } from './state.ts';

/**
 * What must hold of one replica's whole state after every input, as named comparisons. Each finding is
 * one sentence with its numbers; an empty list is a sound state. The cost does not grow with the log.
 * Nothing here can see two replicas disagree: that is for whoever sees the cluster.
 */
export function checkInvariants(state: RaftState): string[] {
  const findings: string[] = [];
  const holds = (fact: boolean, name: string, ...values: readonly unknown[]): void => {
    if (!fact) findings.push(`${state.self.id}: ${name} (${values.map((v) => String(v)).join(', ')})`);
  };
  checkCursors(state, holds);
  checkSnapshots(state, holds);
  checkDurable(state, holds);
  checkLogEnds(state, holds);
  checkRole(state, holds);
  checkProgress(state, holds);
  checkReads(state, holds);
  checkClockFacts(state, holds);
  return findings;
}

/** The same for everything in memory, entry by entry: for tests, since it costs as much as there is. */
export function checkWholeLog(state: RaftState): string[] {
  const findings: string[] = [];
  const { log } = state;
  let bytes = log.bytesBefore;
  for (const [position, entry] of log.cache.entries()) {
    bytes += entryBytes(entry);
    const through = log.bytesThrough[position];
    if (through !== bytes) findings.push(`bytesThrough says ${through}, the cached entries have ${bytes}`);
    const index = firstCachedIndex(log) + position;
    if (entry.index !== index) findings.push(`cached entry ${entry.index} stands at ${index}`);
    const term = termAt(log, index);
    if (entry.term !== term)
      findings.push(`cached entry ${index} has term ${entry.term}, the runs say ${term}`);
  }

  let previousTerm = log.floorTerm - 1;
  let previousIndex = log.floorIndex;
  for (const [position, run] of log.runs.entries()) {
    if (position === 0 && run.firstIndex !== log.floorIndex + 1) {
      findings.push(`the first run begins at ${run.firstIndex}, the floor is ${log.floorIndex}`);
    }
    if (run.term <= previousTerm || run.firstIndex <= previousIndex || run.firstIndex > log.lastIndex) {
      findings.push(`run ${run.term}@${run.firstIndex} follows ${previousTerm}@${previousIndex}`);
    }
    ({ term: previousTerm, firstIndex: previousIndex } = run);
  }

  let uncommitted = 0;
  for (const entry of log.cache) {
    if (state.role !== 'leader' || entry.index <= state.commitIndex) continue;
    if (entry.index >= state.termStartIndex) uncommitted += entryBytes(entry);
  }
  if (uncommitted !== uncommittedBytes(state)) {
    findings.push(`uncommittedBytes is ${uncommittedBytes(state)}, the entries have ${uncommitted}`);
  }
  return findings.map((finding) => `${state.self.id}: ${finding}`);
}

type Holds = (fact: boolean, name: string, ...values: readonly unknown[]) => void;

function checkCursors(state: RaftState, holds: Holds): void {
  const { appliedIndex, applyingIndex, commitIndex, settledIndex, verifiedIndex, log } = state;
  holds(appliedIndex <= applyingIndex, 'appliedIndex <= applyingIndex', appliedIndex, applyingIndex);
  holds(applyingIndex <= commitIndex, 'applyingIndex <= commitIndex', applyingIndex, commitIndex);
  holds(
    commitIndex <= log.lastIndex || commitIndex === appliedIndex,
    'commitIndex <= lastIndex, unless applied before a reopening',
    commitIndex,
    log.lastIndex,
    appliedIndex,
  );
  holds(settledIndex <= commitIndex, 'settledIndex <= commitIndex', settledIndex, commitIndex);
  holds(settledIndex <= log.lastIndex, 'settledIndex <= lastIndex', settledIndex, log.lastIndex);
  holds(log.floorIndex <= settledIndex, 'floorIndex <= settledIndex', log.floorIndex, settledIndex);
  holds(verifiedIndex <= log.lastIndex, 'verifiedIndex <= lastIndex', verifiedIndex, log.lastIndex);
}

function checkSnapshots(state: RaftState, holds: Holds): void {
  const { log, snapshot, receiving, restoring, appliedIndex, applyingIndex } = state;
  const snapshotIndex = snapshot?.index ?? 0;
  holds(log.floorIndex <= snapshotIndex, 'floorIndex <= snapshot.index', log.floorIndex, snapshotIndex);
  holds(
    log.floorIndex <= (restoring?.index ?? appliedIndex),
    'what is not applied is in the log or being restored',
    log.floorIndex,
    appliedIndex,
  );
  holds(
    restoring === null || (restoring.index === applyingIndex && appliedIndex < applyingIndex),
    'a restore is handed out as a range is',
    restoring?.index,
    applyingIndex,
  );
  if (receiving !== null) {
    const { writtenOffset, handedOffset, complete, stored, waiting, snapshot: coming } = receiving;
    holds(writtenOffset <= handedOffset, 'writtenOffset <= handedOffset', writtenOffset, handedOffset);
    holds(handedOffset <= coming.size, 'handedOffset <= size', handedOffset, coming.size);
    holds(!complete || handedOffset === coming.size, 'complete is all of it', handedOffset, coming.size);
    holds(!stored || complete, 'only what is complete is stored', stored, complete);
    holds(!complete || waiting.length === 0, 'nothing waits behind the end', waiting.length);
  }
}

function checkDurable(state: RaftState, holds: Holds): void {
  const { durable, hardState, log, writes } = state;
  holds(durable.index <= log.lastIndex, 'durable.index <= lastIndex', durable.index, log.lastIndex);
  holds(
    durable.hardState.term <= hardState.term,
    'durable term <= term',
    durable.hardState.term,
    hardState.term,
  );
  const vote = durable.hardState.votedFor;
  holds(
    durable.hardState.term < hardState.term ||
      vote === null ||
      (hardState.votedFor !== null && sameMember(vote, hardState.votedFor)),
    'a durable vote of this term is the vote',
    vote?.id,
    hardState.votedFor?.id,
  );
  let sequence = 0;
  let end = durable.index;
  for (const write of writes) {
    holds(write.writeId.sequence > sequence, 'writes are in order', sequence, write.writeId.sequence);
    holds(write.endIndex >= end, 'a later write does not end earlier', end, write.endIndex);
    ({ endIndex: end } = write);
    ({ sequence } = write.writeId);
  }
  holds(end <= log.lastIndex, 'writes end within the log', end, log.lastIndex);
  holds(
    state.persistedBytes <= state.issuedBytes &&
      state.issuedBytes === (writes.at(-1)?.issuedBytes ?? state.persistedBytes),
    'what was issued is being written or durable',
    state.persistedBytes,
    state.issuedBytes,
  );
  const first = firstCachedIndex(log);
  holds(
    log.bytesThrough.length === log.cache.length,
    'the size of every cached entry is known',
    log.bytesThrough.length,
    log.cache.length,
  );
  const undurable = durable.index + 1 < first ? 0 : bytesAfter(log, durable.index);
  holds(
    undurable <= backlogBytes(state),
    'what is not durable waits for the disk',
    undurable,
    backlogBytes(state),
  );
  holds(
    state.unissued?.appendFrom != null || end === log.lastIndex,
    'every entry is durable, being written or about to be',
    end,
    log.lastIndex,
  );
}

function checkLogEnds(state: RaftState, holds: Holds): void {
  const { log, durable, hardState, configurations } = state;
  const first = firstCachedIndex(log);
  holds(log.floorIndex <= log.lastIndex, 'floorIndex <= lastIndex', log.floorIndex, log.lastIndex);
  holds(first <= durable.index + 1, 'what is not durable is cached', first, durable.index);
  holds(lastTerm(log) <= hardState.term, 'last log term <= term', lastTerm(log), hardState.term);
  const lastCached = log.cache[log.cache.length - 1];
  holds(
    lastCached === undefined || lastCached.index === log.lastIndex,
    'the cache ends with the log',
    lastCached?.index,
    log.lastIndex,
  );
  const latest = configurations[configurations.length - 1]?.index ?? -1;
  holds(latest >= 0 && latest <= log.lastIndex, 'the configuration is in the log', latest, log.lastIndex);
}

function checkRole(state: RaftState, holds: Holds): void {
  const { role, self, hardState, durable, leader, timers, votes } = state;
  const leads = role === 'leader';
  holds(leads || state.progress.length === 0, 'only a leader has progress', state.progress.length);
  holds(leads || timers.heartbeat === null, 'only a leader sends heartbeats', timers.heartbeat);
  holds(leads || timers.quorum === null, 'only a leader checks its quorum', timers.quorum);
  holds(!leads || timers.election === null, 'a leader waits for no election', timers.election);
  holds(!leads || (leader !== null && sameMember(leader, self)), 'a leader follows itself', leader?.id);
  holds(
    !(leads || role === 'candidate') || (hardState.votedFor !== null && sameMember(hardState.votedFor, self)),
    'a candidate and a leader voted for themselves',
    hardState.votedFor?.id,
  );
  holds(
    hardState.missing === undefined || role === 'follower',
    'who lacks what it may have acknowledged leads nobody',
    role,
  );
  holds(!state.repairing || hardState.missing !== undefined, 'what is repaired is missing', state.repairing);
  holds(
    !leads || durable.hardState.term === hardState.term,
    "a leader's term is durable",
    durable.hardState.term,
    hardState.term,
  );
  holds(
    !leads ||
      state.termStartIndex <= state.log.floorIndex ||
      termAt(state.log, state.termStartIndex) === hardState.term,
    'a leader knows where its term begins',
    state.termStartIndex,
  );
  holds(
    leads || (state.leadershipTransfer === null && timers.leadershipTransfer === null),
    'only a leader hands over',
    role,
  );
  holds(
    (state.leadershipTransfer === null) === (timers.leadershipTransfer === null),
    'handing over has an end',
    timers.leadershipTransfer,
  );
  holds(
    !state.leadershipTransfer?.sent || state.leaseForfeited,
    'a TimeoutNow ends the lease',
    state.leaseForfeited,
  );
  holds(leads || timers.stall === null, 'only a leader stands in the way', timers.stall);
  const owed = firstOwed(state);
  holds(!leads || owed === null || owed >= state.termStartIndex, 'a leader owes entries of its term', owed);
  holds(!leads || state.asked === null, 'a leader asks nobody whether it may read', state.asked?.askedAt);
  holds(leads || !state.leaseForfeited, 'only a leader has a lease to forfeit', role);
  holds(role === 'candidate' || !state.campaignsByTransfer, 'only a campaign can be by transfer', role);
  holds(leads === (state.leadingSince !== null), 'a leader knows since when', state.leadingSince);
  holds(
    state.leadershipTransfer === null || !sameMember(state.leadershipTransfer.to, self),
    'nobody hands over to itself',
    state.leadershipTransfer?.to.id,
  );
  holds(
    role === 'candidate' || role === 'pre-candidate' || votes.length === 0,
    'votes are counted in a campaign only',
    votes.length,
  );
}

function checkReads(state: RaftState, holds: Holds): void {
  const { role, self, lastRound, lastSequence, asked } = state;
  const leads = role === 'leader';
  let sequence = 0;
  const askers = new Set<string>();
  for (const { asker, round, readId } of state.reads) {
    holds(leads || asker === null, 'only a leader grants reads to others', asker?.id);
    holds(leads === (round !== null), 'a leader waits for a round, others for its answer', round);
    holds((round ?? 0) <= lastRound + 1, 'a read waits for no round after the next', round, lastRound);
    if (asker === null) {
      holds(readId.boot === self.boot, 'own reads are of this boot', readId.boot, self.boot);
      holds(readId.sequence > sequence, 'own reads are in order', sequence, readId.sequence);
      ({ sequence } = readId);
    } else {
      const name = `${asker.id} ${asker.incarnation}`;
      holds(!sameMember(asker, self) && !askers.has(name), 'each other member asks one question', asker.id);
      askers.add(name);
    }
  }
  holds(sequence <= lastSequence, 'reads have ids that were given out', sequence, lastSequence);
  holds((asked?.readId.sequence ?? 0) <= lastSequence, 'a question is of a read', asked?.readId.sequence);
}

/** What was measured by a clock, and may be relied upon because of that. */
function checkClockFacts(state: RaftState, holds: Holds): void {
  const { now, freshness, rounds, lastRound, options, stall } = state;
  const { proven, applying, anomalyAt } = freshness;
  holds((anomalyAt ?? now) <= now, 'no anomaly is to come', anomalyAt, now);
  for (const fresh of [proven, applying]) {
    if (fresh === null) continue;
    holds(fresh.at <= now, 'nothing is proven of a time to come', fresh.at, now);
    holds(anomalyAt === null || fresh.at > anomalyAt, 'an anomaly ends what was proven', fresh.at, anomalyAt);
  }
  const { appliedIndex } = state;
  holds((proven?.index ?? 0) <= appliedIndex, 'what is proven is applied', proven?.index, appliedIndex);
  holds(applying === null || applying.index > appliedIndex, 'what is applied counts', applying?.index);

  const first = rounds[0]?.round ?? lastRound + 1;
  holds(
    first + rounds.length - 1 === lastRound,
    'rounds follow one another up to the last',
    first,
    lastRound,
  );
  const sentAt = rounds.at(-1)?.sentAt ?? now;
  holds(sentAt <= now, 'no round was sent in a time to come', sentAt, now);
  holds((state.quorumConfirmedAt ?? now) <= now, 'no quorum is confirmed ahead', state.quorumConfirmedAt);
  for (const { member, answeredRound, stamped, provenFreshness, promisedUntil, boot } of state.progress) {
    const name = member.id;
    holds(answeredRound <= lastRound, `${name} answers rounds that were sent`, answeredRound, lastRound);
    holds((stamped?.round ?? 0) <= lastRound + 1, `the stamp of ${name} waits for the next round`, lastRound);
    holds(
      stamped === null || stamped.boot === boot,
      `the stamp of ${name} is of its boot`,
      stamped?.boot,
      boot,
    );
    holds(
      provenFreshness === null || provenFreshness.boot === boot,
      `what is proven of ${name} is of its boot`,
      provenFreshness?.boot,
      boot,
    );
    holds(
      promisedUntil === null || options.clockDriftMaxRatio !== null,
      `no promise of ${name} counts without a bound on drift`,
      promisedUntil,
    );
  }
  holds(
    state.headStartMs >= 0 && state.headStartMs <= options.electionTimeoutMaxMs,
    'a head start is bounded',
    state.headStartMs,
  );
  holds(
    isStalled(state) || (!stall.told && state.timers.stall === null),
    "what goes on stands in nobody's way",
    stall.told,
  );
}

function checkProgress(state: RaftState, holds: Holds): void {
  const { log } = state;
  for (const progress of state.progress) {
    const { matchIndex, nextIndex, inflight, transfer, mode } = progress;
    const name = progress.member.id;
    holds(matchIndex < nextIndex, `matchIndex < nextIndex of ${name}`, matchIndex, nextIndex);
    holds(nextIndex <= log.lastIndex + 1, `nextIndex <= lastIndex + 1 of ${name}`, nextIndex, log.lastIndex);
    holds(
      mode === 'replicate' || inflight.length === 0,
      `only replication to ${name} has a window`,
      inflight.length,
    );
    holds((mode === 'snapshot') === (transfer !== null), `a transfer to ${name} is a mode`, mode);
    if (transfer !== null) checkTransfer(name, transfer, holds);
    let bytes = 0;
    let lastIndex = matchIndex;
    for (const sent of inflight) {
      holds(sent.lastIndex > lastIndex, `the window of ${name} is in order`, lastIndex, sent.lastIndex);
      ({ lastIndex } = sent);
      bytes += sent.bytes;
    }
    holds(lastIndex < nextIndex, `the window of ${name} is behind nextIndex`, lastIndex, nextIndex);
    holds(
      mode !== 'replicate' || lastIndex === nextIndex - 1,
      `the window of ${name} has everything that is sent and not durable`,
      lastIndex,
      nextIndex,
    );
    holds(bytes === progress.inflightBytes, `inflightBytes of ${name}`, progress.inflightBytes, bytes);
  }
}

function checkTransfer(name: string, transfer: SnapshotTransfer, holds: Holds): void {
  const { acknowledgedOffset, nextOffset, snapshot, inflight, loading } = transfer;
  const acknowledged = acknowledgedOffset ?? 0;
  holds(acknowledged <= nextOffset, `${name} has written what was sent`, acknowledged, nextOffset);
  holds(nextOffset <= snapshot.size, `nextOffset <= size for ${name}`, nextOffset, snapshot.size);
  let end = acknowledged;
  for (const { endOffset } of inflight) {
    holds(endOffset > end, `the chunks for ${name} are in order`, end, endOffset);
    end = endOffset;
  }
  holds(end <= nextOffset, `the chunks for ${name} end before the next`, end, nextOffset);
  holds(
    loading === null || loading.offset === nextOffset,
    `what is loaded for ${name} comes next`,
    loading?.offset,
    nextOffset,
  );
}
