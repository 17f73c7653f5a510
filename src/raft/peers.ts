import { bootOf } from './boots.ts';
import { isMember, members } from './configuration.ts';
import type { Context } from './context.ts';
import { sendHeartbeats } from './heartbeats.ts';
import { sameMember } from './identity.ts';
import { currentConfiguration, selfIsSoleVoter } from './membership.ts';
import { newProgress, type Progress } from './progress.ts';
import type { RaftState } from './state.ts';

/**
 * Whom a leader talks to: every member of the configuration in force but itself, and for a while those that
 * left it. Someone removed is told so by the entry that removes it; if it never hears, it is only idle, since
 * nobody counts its votes (dissertation 4.2.3).
 */

/** After each configuration that the leader appended, and when it begins to lead. */
export function followConfiguration(context: Context): void {
  const { state } = context;
  const configuration = currentConfiguration(state);
  const index = state.configurations.at(-1)?.index ?? 0;
  const wanted = members(configuration).filter((member) => !sameMember(member, state.self));
  const kept: Progress[] = wanted.map((member) => {
    const known = state.progress.find((progress) => sameMember(progress.member, member));
    if (known === undefined) return newProgress(member, bootOf(state, member), state.log.lastIndex + 1);
    known.member = member;
    known.departing = null;
    return known;
  });
  for (const progress of state.progress) {
    if (isMember(configuration, progress.member)) continue;
    progress.departing ??= {
      index,
      until: state.now + 4 * state.options.electionTimeoutMaxMs,
      toldRound: null,
    };
    kept.push(progress);
  }
  state.progress = kept;
  watchQuorum(state);
  if (state.progress.length > 0 && state.timers.heartbeat === null) sendHeartbeats(context);
}

/** Whoever decides alone has no quorum to wait for; whoever no longer does has one election timeout for it. */
function watchQuorum(state: RaftState): void {
  const { options, timers } = state;
  if (!options.checkQuorum || selfIsSoleVoter(state)) timers.quorum = null;
  else timers.quorum ??= state.now + options.electionTimeoutMinMs;
}
