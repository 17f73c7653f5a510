import type { Configuration, Member } from '../../../src/raft/configuration.ts';
import type { MembershipChange, MembershipRefusal } from '../../../src/raft/membership-change.ts';
import { pair } from './naive-quorum.ts';

/**
 * What a change of the membership comes to, worked out on sets: who is asked for as voter, as learner, as
 * retired, without an order and without a way of getting there. It names *every* reason there is to refuse; the
 * real one names the one it met first.
 */
export type NaivePlan =
  | { readonly refused: ReadonlySet<MembershipRefusal> }
  | {
      readonly voters: ReadonlySet<string>;
      readonly learners: ReadonlySet<string>;
      readonly retired: ReadonlySet<string>;
      readonly catchUp: ReadonlySet<string>;
      readonly needsJoint: boolean;
    };

interface Listed {
  member: Member;
  role: 'voter' | 'learner';
}

export function naivePlan(configuration: Configuration, change: MembershipChange): NaivePlan {
  const refused = refusals(configuration, change);
  if (refused.size > 0) return { refused };
  const { add = [], promote = [], demote = [], remove = [], replace = [], update = [] } = change;
  const before = listed(configuration);
  const after = new Map(before);
  const retired = new Set(configuration.retired.map(pair));

  for (const [key, { member }] of before) if (remove.includes(member.id)) after.delete(key);
  for (const id of promote) turn(after, id, 'voter');
  for (const id of demote) turn(after, id, 'learner');
  for (const { role = 'voter', ...member } of add) {
    const known = after.get(pair(member));
    if (known?.role !== 'voter') after.set(pair(member), { member, role });
  }
  for (const { id, by } of replace) {
    const leaving = [...before].filter(([key, { member }]) => member.id === id && key !== pair(by));
    const role = leaving.some(([, one]) => one.role === 'voter') ? 'voter' : 'learner';
    for (const [key] of leaving) {
      after.delete(key);
      if (by.id === id) retired.add(key);
    }
    after.set(pair(by), { member: by, role });
  }
  for (const { id, address, metadata } of update) {
    const namesakes = [...after].filter(([, { member }]) => member.id === id);
    const meant = namesakes.find(([, { role }]) => role === 'voter') ?? namesakes[0];
    for (const [key, one] of meant === undefined ? [] : [meant]) {
      const member = {
        ...one.member,
        address: address ?? one.member.address,
        ...(metadata === undefined ? {} : { metadata }),
      };
      after.set(key, { ...one, member });
    }
  }

  const voters = withRole(after, 'voter');
  const wereVoters = withRole(before, 'voter');
  const consequences = new Set<MembershipRefusal>();
  if (voters.size === 0) consequences.add('no-voters-left');
  if (text(before) === text(after)) consequences.add('nothing-to-change');
  if (consequences.size > 0) return { refused: consequences };
  return {
    voters,
    learners: withRole(after, 'learner'),
    retired,
    catchUp: new Set([...voters].filter((key) => !wereVoters.has(key))),
    needsJoint: [...voters].sort().join() !== [...wereVoters].sort().join(),
  };
}

/** Nobody becomes a voter beside a voter of its name, and only a voter can be demoted. */
function turn(after: Map<string, Listed>, id: string, role: Listed['role']): void {
  const namesakes = [...after].filter(([, { member }]) => member.id === id);
  const voter = namesakes.find(([, listed]) => listed.role === 'voter');
  const turned = role === 'learner' ? voter : voter === undefined ? namesakes[0] : undefined;
  if (turned !== undefined) after.set(turned[0], { ...turned[1], role });
}

function refusals(configuration: Configuration, change: MembershipChange): Set<MembershipRefusal> {
  const { add = [], promote = [], demote = [], remove = [], replace = [], update = [] } = change;
  const found = new Set<MembershipRefusal>();
  const names = new Set([...listed(configuration).values()].map(({ member }) => member.id));
  const voters = new Set(configuration.voters.map(({ id }) => id));
  const pairs = new Set(listed(configuration).keys());
  const isRetired = (member: Member): boolean =>
    configuration.retired.some((one) => pair(one) === pair(member));

  const mentions = new Map<string, number>();
  const mention = (id: string) => mentions.set(id, (mentions.get(id) ?? 0) + 1);
  for (const { id } of [...add, ...update, ...replace]) mention(id);
  for (const id of [...promote, ...demote, ...remove]) mention(id);
  for (const { id, by } of replace) if (by.id !== id) mention(by.id);
  for (const count of mentions.values()) if (count > 1) found.add('contradiction');

  const meant = [...promote, ...demote, ...remove, ...[...replace, ...update].map(({ id }) => id)];
  for (const id of meant) if (!names.has(id)) found.add('unknown-member');
  for (const member of add) {
    if (names.has(member.id) && !pairs.has(pair(member))) found.add('already-member');
    // Under the name of another incarnation that is listed too.
    const namesakes = [...pairs].filter((key) => key.startsWith(`${member.id}/`));
    if (namesakes.some((key) => key !== pair(member))) found.add('already-member');
    if (isRetired(member)) found.add('retired');
  }
  for (const { id, by } of replace) {
    if (by.id !== id && voters.has(by.id)) found.add('already-member');
    const namesakes = [...pairs].filter((key) => key.startsWith(`${id}/`));
    const others = [...pairs].filter((key) => key.startsWith(`${by.id}/`) && key !== pair(by));
    if (by.id !== id && others.length > 0) found.add('already-member');
    if (configuration.voters.some((one) => pair(one) === pair(by))) found.add('already-member');
    if (by.id === id && namesakes.length === 1 && namesakes[0] === pair(by)) found.add('already-member');
    if (isRetired(by)) found.add('retired');
  }
  return found;
}

function listed({ voters, learners }: Configuration): Map<string, Listed> {
  const found = new Map<string, Listed>();
  for (const member of voters) found.set(pair(member), { member, role: 'voter' });
  for (const member of learners) found.set(pair(member), { member, role: 'learner' });
  return found;
}

function withRole(after: ReadonlyMap<string, Listed>, role: Listed['role']): Set<string> {
  return new Set([...after].filter(([, one]) => one.role === role).map(([key]) => key));
}

/** Who is what, where, with which words of the application; an empty one says as little as none. */
function text(after: ReadonlyMap<string, Listed>): string {
  const lines = [...after].map(([key, { member, role }]) => {
    const { address, metadata = {} } = member;
    return `${key} ${role} ${address} ${JSON.stringify(metadata)}`;
  });
  return lines.sort().join('\n');
}
