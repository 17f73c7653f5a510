import type { Configuration } from './configuration.ts';
import { emptyConfiguration, isJoint, isMember, isVoter, members } from './configuration.ts';
import type { Context } from './context.ts';
import { emit } from './context.ts';
import type { Index } from './entry.ts';
import type { MemberId, NodeId } from './identity.ts';
import { sameMember } from './identity.ts';
import type { RaftState } from './state.ts';

/** The configuration in force: the latest in the log, committed or not (dissertation 4.1). */
export function currentConfiguration(state: RaftState): Configuration {
  return state.configurations[state.configurations.length - 1]?.configuration ?? emptyConfiguration;
}

/**
 * A replica campaigns as a voter, as this very pair, of its own latest configuration; and as one of the
 * configuration before, while it does not know the latest to be committed: it may be the only one that holds
 * it (dissertation 4.2.2, figure 4.6). Two servers A and B, B leads and removes itself:
 *
 *     A   C_old,new                 needs B's vote, and B's log is longer
 *     B   C_old,new  C_new = {A}    crashed before C_new left it
 *
 * B has to lead once more, counting A alone, for A to get C_new.
 *
 * Whoever lacks what it may have acknowledged leads nobody (damage.ts).
 */
export function mayCampaign(state: RaftState): boolean {
  if (state.hardState.missing !== undefined) return false;
  if (selfIsVoter(state)) return true;
  const latest = state.configurations[state.configurations.length - 1];
  const before = state.configurations[state.configurations.length - 2];
  if (latest === undefined || before === undefined || latest.index <= state.commitIndex) return false;
  return isVoter(before.configuration, state.self);
}

export function selfIsVoter(state: RaftState): boolean {
  return isVoter(currentConfiguration(state), state.self);
}

/** Nobody else has a say: there is nobody to ask. */
export function selfIsSoleVoter(state: RaftState): boolean {
  const { voters, outgoing } = currentConfiguration(state);
  const isOwn = (member: MemberId): boolean => sameMember(member, state.self);
  return voters.length > 0 && voters.every(isOwn) && outgoing.every(isOwn);
}

/**
 * The only voter, and no leader can be left to which it promised not to vote: none but itself ever counted, or
 * the configuration is committed, so that a leader that removed itself by it has stepped down. Until then
 *
 *     a  C_old,new  C_new = {b}    leads by what b promised it, though it is no voter any more
 *     b  C_old,new  C_new = {b}    is the only voter, and keeps its promise
 */
export function decidesAlone(state: RaftState): boolean {
  const latest = state.configurations[state.configurations.length - 1];
  if (latest === undefined || !selfIsSoleVoter(state)) return false;
  const isOwn = (member: MemberId): boolean => sameMember(member, state.self);
  return (
    latest.index <= state.commitIndex ||
    state.configurations.every(
      ({ configuration: { voters, outgoing } }) => voters.every(isOwn) && outgoing.every(isOwn),
    )
  );
}

/** The configuration in force after the entry at `index`, which is not below the floor. */
export function configurationAt(state: RaftState, index: Index): Configuration {
  let found = emptyConfiguration;
  for (const one of state.configurations) {
    if (one.index > index) break;
    found = one.configuration;
  }
  return found;
}

/**
 * The commit index moved on. A replica that a committed configuration listed, and that the last one of its
 * log does not, is out: a leader sends no more entries to whom it removed, and soon nothing at all. Who merely
 * passes its own removal on the way to its return hears the leader go on; so silence is awaited first.
 */
export function noteMembership(context: Context, from: Index): void {
  const { state } = context;
  for (const { index, configuration } of state.configurations) {
    if (index <= from || index > state.commitIndex) continue;
    if (isMember(configuration, state.self)) state.wasMember = true;
  }
  if (!seemsRemoved(state)) state.timers.removal = null;
  else state.timers.removal ??= state.now + state.options.electionTimeoutMinMs;
}

export function onRemovalTimeout(context: Context): void {
  const { state } = context;
  state.timers.removal = null;
  if (seemsRemoved(state)) markRemoved(context, currentConfiguration(state));
}

function seemsRemoved(state: RaftState): boolean {
  const configuration = currentConfiguration(state);
  if (state.role === 'leader' || !state.wasMember || state.commitIndex < state.log.lastIndex) return false;
  return !isJoint(configuration) && !isMember(configuration, state.self);
}

/** The leader as the configuration lists it, for whoever has to find it. */
export function leaderToAsk(state: RaftState): { readonly id: NodeId; readonly address: string } | null {
  const { leader } = state;
  if (leader === null) return null;
  const listed = members(currentConfiguration(state)).find((one) => sameMember(one, leader));
  return listed === undefined ? null : { id: listed.id, address: listed.address };
}

export function markRemoved(context: Context, configuration: Configuration): void {
  const { state } = context;
  if (state.removed) return;
  state.removed = true;
  emit(context, { kind: 'removed', configuration });
}
