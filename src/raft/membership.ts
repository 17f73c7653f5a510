import type { Configuration } from './configuration.ts';
import { emptyConfiguration, isVoter } from './configuration.ts';
import { sameMember } from './identity.ts';
import type { RaftState } from './state.ts';

/** The configuration in force: the latest in the log, committed or not (dissertation 4.1). */
export function currentConfiguration(state: RaftState): Configuration {
  return state.configurations[state.configurations.length - 1]?.configuration ?? emptyConfiguration;
}

/** Only a replica that its own latest configuration lists as voter, as this very pair, may campaign. */
export function selfIsVoter(state: RaftState): boolean {
  return isVoter(currentConfiguration(state), state.self);
}

/** Nobody else has a say: there is no promise to keep, nobody to ask and nobody to wait for. */
export function selfIsSoleVoter(state: RaftState): boolean {
  const { voters, outgoing } = currentConfiguration(state);
  return (
    selfIsVoter(state) && voters.length <= 1 && outgoing.every((member) => sameMember(member, state.self))
  );
}
