import type { Configuration, Member } from '../raft/configuration.ts';
import { members } from '../raft/configuration.ts';
import { sameMember } from '../raft/identity.ts';
import { currentConfiguration } from '../raft/membership.ts';
import type { Newcomer } from '../raft/newcomers.ts';
import type { RaftState } from '../raft/state.ts';
import type { Peer, Transport } from '../transport/contract.ts';

/**
 * Tells the transport whom it may be asked to reach, and where: whoever the configuration in force lists, or
 * the one before it as long as that matters, whoever asks to be let in, and whom this replica asks itself.
 * Looked at after every drain, so it compares by identity first: the core replaces these objects when they
 * change, and never changes them in place.
 */
export class AddressBook {
  readonly #transport: Pick<Transport, 'setPeers'>;
  readonly #ownAddress: () => string;
  #configuration: Configuration | null = null;
  #before: Configuration | null = null;
  /** Of a log that lost its beginning; the core knows nobody then, until it has it back. */
  #lastKnown: Configuration | null = null;
  #newcomers: readonly Newcomer[] = [];
  #hints: readonly Peer[] = [];
  #told = '[]';

  /** @param ownAddress - where this replica itself is reached. */
  constructor(transport: Pick<Transport, 'setPeers'>, ownAddress: () => string) {
    this.#transport = transport;
    this.#ownAddress = ownAddress;
  }

  /**
   * A new session: its configuration is told anew.
   *
   * @param lastKnown - whom a damaged log may be repaired from, while the core knows of no configuration.
   */
  begin(lastKnown: Configuration | null): void {
    this.#configuration = null;
    this.#lastKnown = lastKnown;
  }

  /** @returns the configuration, when it is another than at the last look; else null. */
  follow(state: RaftState, hints: readonly Peer[]): Configuration | null {
    const configuration = currentConfiguration(state);
    const before = configurationBefore(state);
    const isNews = configuration !== this.#configuration;
    const isOther = isNews || before !== this.#before;
    if (!isOther && state.newcomers === this.#newcomers && hints === this.#hints) return null;
    this.#configuration = configuration;
    this.#before = before;
    this.#newcomers = state.newcomers;
    this.#hints = hints;
    // Under its own name there is somebody else only elsewhere: at its own address is this one, or was.
    const own = { id: state.self.id, address: this.#ownAddress() };
    const others = [before, configuration.voters.length === 0 ? this.#lastKnown : null];
    const listed = [configuration, ...others.filter((one) => one !== null)].flatMap(members);
    const peers = peersOf(state, listed, hints).filter(
      ({ id, address }) => id !== own.id || address !== own.address,
    );
    const text = JSON.stringify(peers);
    if (text !== this.#told) this.#transport.setPeers(peers);
    this.#told = text;
    return isNews && configuration.voters.length > 0 ? configuration : null;
  }
}

/**
 * The configuration before the one in force, as long as somebody needs those that only it lists: a leader that
 * removes itself needs the answers of the others until that is committed, and tells those that it removed.
 */
function configurationBefore({ configurations, commitIndex, progress }: RaftState): Configuration | null {
  const latest = configurations.at(-1);
  const before = configurations.at(-2);
  if (latest === undefined || before === undefined) return null;
  const isNeeded = latest.index > commitIndex || progress.some(({ departing }) => departing !== null);
  return isNeeded ? before.configuration : null;
}

/**
 * A member stands at the address that the configuration gives, whatever somebody with its name says: that may
 * be a copy of it. Of several that share an id, one whom this replica asks comes first, because what it is
 * asked names no incarnation. Where a pair that asks to be let in says it is reached, it is reached, and not
 * where its list of the first members has its id: there the member is that it is a double of.
 */
function peersOf(state: RaftState, listed: readonly Member[], hints: readonly Peer[]): Peer[] {
  const newcomers = state.newcomers.filter(({ member }) => !listed.some((one) => sameMember(one, member)));
  const asksItself = ({ id, incarnation }: Peer): boolean =>
    newcomers.some(({ member }) => member.id === id && member.incarnation === incarnation);
  const all: Peer[] = [
    ...hints.filter((hint) => !asksItself(hint)),
    ...listed.map(({ id, incarnation, address }) => ({ id, incarnation, address })),
    ...newcomers.map(({ member, address }) => ({
      id: member.id,
      incarnation: member.incarnation,
      address,
    })),
  ];
  const seen = new Set<string>();
  return all.filter(({ id, incarnation }) => {
    const key = `${id}/${incarnation ?? ''}`;
    const isSelf = id === state.self.id && incarnation === state.self.incarnation;
    if (isSelf || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
