import type { Configuration, Member } from './configuration.ts';
import { isMember, isRetired, isVoter, membersNamed } from './configuration.ts';
import type { MemberId, NodeId } from './identity.ts';
import { sameMember } from './identity.ts';
import type {
  AddedMember,
  MembershipChange,
  MembershipRefusal,
  RefusedMembership,
} from './membership-change.ts';

/** How a change is carried out. */
export interface MembershipPlan {
  readonly accepted: true;
  /** What stands when it is over. */
  readonly target: Pick<Configuration, 'voters' | 'learners' | 'retired'>;
  /** Pairs that have to hold the log before they count; those not yet members become learners first. */
  readonly catchUp: readonly Member[];
  /**
   * Whether the deciding set changes, so that the way leads through a joint configuration (dissertation 4.3).
   * It does for a single server too: one mechanism, and the one whose proof needs no second condition.
   */
  readonly needsJoint: boolean;
}

/** Bytes of one member's address and metadata. */
const MEMBER_BYTES_MAX = 4096;
/** Of a whole configuration, retired incarnations included: it travels in every entry and snapshot of its kind. */
const CONFIGURATION_BYTES_MAX = 512 * 1024;
const MEMBERS_MAX = 64;

/**
 * Works out what a change of this configuration, which is not joint, comes to. Pure arithmetic: who may
 * change what when is the leader's business (active-change.ts).
 */
export function planMembership(
  configuration: Configuration,
  change: MembershipChange,
): MembershipPlan | RefusedMembership {
  const mistake = mistakeIn(configuration, change);
  if (mistake !== null) return { accepted: false, ...mistake };
  const { promote = [], demote = [], remove = [] } = change;
  const roles = new Draft(configuration);

  for (const id of remove) roles.remove(id);
  for (const id of promote) roles.promote(id);
  for (const id of demote) roles.demote(id);
  for (const { role, ...member } of change.add ?? []) roles.add(plain(member), role ?? 'voter');
  for (const { id, by } of change.replace ?? []) roles.replace(id, plain(by));
  for (const changes of change.update ?? []) roles.update(changes);

  const target = roles.result();
  if (target.voters.length === 0) {
    return refuse('no-voters-left', 'no voter would be left, and nobody could ever decide again');
  }
  if (target.voters.length + target.learners.length > MEMBERS_MAX) {
    return refuse('too-large', `more than ${MEMBERS_MAX} members`);
  }
  const bytes = JSON.stringify([target, configuration.voters]).length;
  if (bytes > CONFIGURATION_BYTES_MAX) {
    return refuse(
      'too-large',
      `the configuration would take ${bytes} of at most ${CONFIGURATION_BYTES_MAX} bytes`,
    );
  }
  if (isUnchanged(configuration, target)) {
    return refuse('nothing-to-change', 'the configuration is as asked already');
  }
  return {
    accepted: true,
    target,
    catchUp: target.voters.filter((member) => !isVoter(configuration, member)),
    needsJoint: !samePairs(configuration.voters, target.voters),
  };
}

class Draft {
  #sets: { voters: Member[]; learners: Member[] };
  readonly #retired: MemberId[];

  constructor({ voters, learners, retired }: Configuration) {
    this.#sets = { voters: [...voters], learners: [...learners] };
    this.#retired = [...retired];
  }

  result(): MembershipPlan['target'] {
    return { ...this.#sets, retired: this.#retired };
  }

  remove(id: NodeId): void {
    this.#sets.voters = this.#sets.voters.filter((member) => member.id !== id);
    this.#sets.learners = this.#sets.learners.filter((member) => member.id !== id);
  }

  /** A voter's namesake, on its way back, becomes one by replacing it only. */
  promote(id: NodeId): void {
    const member = this.#sets.learners.find((one) => one.id === id);
    if (member === undefined || this.#sets.voters.some((one) => one.id === id)) return;
    this.#sets.learners = this.#sets.learners.filter((one) => one !== member);
    this.#sets.voters.push(member);
  }

  demote(id: NodeId): void {
    const member = this.#sets.voters.find((one) => one.id === id);
    if (member === undefined) return;
    this.#sets.voters = this.#sets.voters.filter((one) => one !== member);
    this.#sets.learners.push(member);
  }

  /** A learner that an interrupted change left behind goes on from there. */
  add(member: Member, role: 'voter' | 'learner'): void {
    if (this.#sets.voters.some((one) => sameMember(one, member))) return;
    this.remove(member.id);
    this.#sets[role === 'voter' ? 'voters' : 'learners'].push(member);
  }

  /**
   * In its predecessor's place and role. Its own name under other incarnations is over for ever: there are two
   * of those where a server was emptied again while it was coming back.
   */
  replace(id: NodeId, by: Member): void {
    const leaves = (one: Member): boolean => one.id === id && !sameMember(one, by);
    const leaving = [...this.#sets.voters, ...this.#sets.learners].filter(leaves);
    // A voter comes first. `by` may be a learner already, waiting to take over.
    const [predecessor] = leaving;
    const taken = (set: readonly Member[]): Member[] =>
      set
        .filter((one) => !sameMember(one, by))
        .map((one) => (one === predecessor ? by : one))
        .filter((one) => !leaves(one));
    this.#sets = { voters: taken(this.#sets.voters), learners: taken(this.#sets.learners) };
    if (by.id !== id) return;
    for (const { incarnation } of leaving) this.#retired.push({ id, incarnation });
  }

  update({ id, incarnation, ...changes }: MembershipUpdate): void {
    const named = [...this.#sets.voters, ...this.#sets.learners].find(
      (one) => one.id === id && (incarnation === undefined || one.incarnation === incarnation),
    );
    const change = (one: Member): Member =>
      one === named
        ? {
            ...one,
            ...(changes.address === undefined ? {} : { address: changes.address }),
            ...(changes.metadata === undefined ? {} : { metadata: changes.metadata }),
          }
        : one;
    this.#sets.voters = this.#sets.voters.map(change);
    this.#sets.learners = this.#sets.learners.map(change);
  }
}

type MembershipUpdate = NonNullable<MembershipChange['update']>[number];

type Mistake = Pick<RefusedMembership, 'reason' | 'why'>;

function mistakeIn(configuration: Configuration, change: MembershipChange): Mistake | null {
  const { add = [], promote = [], demote = [], remove = [], replace = [], update = [] } = change;
  const named = [
    ...add.map(({ id }) => id),
    ...promote,
    ...demote,
    ...remove,
    ...replace.flatMap(({ id, by }) => (by.id === id ? [id] : [id, by.id])),
    ...update.map(({ id }) => id),
  ];
  const twice = named.find((id, at) => named.indexOf(id) !== at);
  if (twice !== undefined) return mistake('contradiction', `${twice} is named twice`);

  const known = [
    ...promote,
    ...demote,
    ...remove,
    ...replace.map(({ id }) => id),
    ...update.map(({ id }) => id),
  ];
  const stranger = known.find((id) => membersNamed(configuration, id).length === 0);
  if (stranger !== undefined) return mistake('unknown-member', `${stranger} is no member`);

  for (const one of add) {
    if (membersNamed(configuration, one.id).some((member) => !sameMember(member, one))) {
      return mistake('already-member', `${one.id} is a member; replace it if its disk was emptied`);
    }
  }
  for (const { id, by } of replace) {
    const isVoting = (member: Member): boolean =>
      by.id === id ? sameMember(member, by) : member.id === by.id;
    if (configuration.voters.some(isVoting)) {
      return mistake('already-member', `${by.id} is a voter already`);
    }
    if (by.id !== id && membersNamed(configuration, by.id).some((one) => !sameMember(one, by))) {
      return mistake('already-member', `another incarnation of ${by.id} is a learner; remove that first`);
    }
    if (isMember(configuration, by) && by.id === id && membersNamed(configuration, id).length === 1) {
      return mistake('already-member', `${id} is this very incarnation already`);
    }
  }
  const incoming: readonly AddedMember[] = [...add, ...replace.map(({ by }) => by)];
  const retired = incoming.find((member) => isRetired(configuration, member));
  if (retired !== undefined) {
    return mistake('retired', `${retired.id} (${retired.incarnation}) was replaced, and never comes back`);
  }
  const large = [...incoming, ...update].find(
    ({ address = '', metadata = {} }) => address.length + JSON.stringify(metadata).length > MEMBER_BYTES_MAX,
  );
  if (large !== undefined) {
    return mistake(
      'too-large',
      `address and metadata of ${large.id} take more than ${MEMBER_BYTES_MAX} bytes`,
    );
  }
  return null;
}

function mistake(reason: MembershipRefusal, why: string): Mistake {
  return { reason, why };
}

function refuse(reason: MembershipRefusal, why: string): RefusedMembership {
  return { accepted: false, reason, why };
}

/** Without what does not belong into a configuration. */
function plain({ id, incarnation, address, metadata }: Member): Member {
  return {
    id,
    incarnation,
    address,
    ...(metadata === undefined || Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

function isUnchanged(configuration: Configuration, target: MembershipPlan['target']): boolean {
  const text = (set: readonly Member[]): string => JSON.stringify([...set].map(plain).sort(byName));
  return (
    text(configuration.voters) === text(target.voters) &&
    text(configuration.learners) === text(target.learners)
  );
}

function byName(a: Member, b: Member): number {
  return a.id < b.id || (a.id === b.id && a.incarnation < b.incarnation) ? -1 : 1;
}

/** As sets. */
function samePairs(a: readonly MemberId[], b: readonly MemberId[]): boolean {
  return a.length === b.length && a.every((one) => b.some((other) => sameMember(one, other)));
}

/** The configuration while a change is made: both sets decide, each by its own majority. */
export function jointOf(
  before: Configuration,
  target: MembershipPlan['target'],
): Pick<Configuration, 'voters' | 'outgoing' | 'learners' | 'retired'> {
  return { ...target, outgoing: before.voters };
}

/** What a joint configuration leads to. */
export function afterJoint(joint: Configuration): MembershipPlan['target'] {
  return { voters: joint.voters, learners: joint.learners, retired: joint.retired };
}

/** What a configuration goes back to when its change is given up: the voters it came from. */
export function beforeJoint(
  joint: Configuration,
  learnersBefore: readonly Member[],
): MembershipPlan['target'] {
  const { outgoing: voters } = joint;
  const learners = learnersBefore.filter((one) => !voters.some((voter) => sameMember(voter, one)));
  const stays = [...voters, ...learners];
  return {
    voters,
    learners,
    retired: joint.retired.filter((one) => !stays.some((member) => sameMember(member, one))),
  };
}
