import type { NodeId } from '../../src/raft/identity.ts';
import type { Contradiction } from './contradiction.ts';
import type { PartialScenario } from './partial-scenario.ts';
import type { MembershipWish, Selector } from './scenario.ts';
import type { Path } from './yaml-document.ts';

/**
 * Follows the changes of the membership through the timeline, as far as they name ids: once a change
 * names whoever leads, nobody knows before the run who is left.
 */
export function checkMembership(scenario: PartialScenario): Contradiction[] {
  const { replicas, spares, timeline } = scenario;
  if (replicas === null || spares === null) return [];
  const machines = idsUpTo(replicas + spares);
  let members: ReadonlySet<NodeId> | null = new Set(idsUpTo(replicas));
  const found: Contradiction[] = [];
  const inOrder = [...timeline].sort((a, b) => a.step.atMs - b.step.atMs);
  for (const { path, step } of inOrder) {
    const { fault } = step;
    if (fault.kind !== 'membership') continue;
    const at = [...path, 'membership'];
    const wrong = checkWish(at, fault, machines, members);
    found.push(...wrong);
    members = members === null || wrong.length > 0 ? null : membersAfter(fault, members);
    if (members?.size === 0) found.push({ path: at, expected: 'at least one member to be left' });
  }
  return found;
}

function checkWish(
  at: Path,
  wish: MembershipWish,
  machines: readonly NodeId[],
  members: ReadonlySet<NodeId> | null,
): Contradiction[] {
  const found: Contradiction[] = [];
  const newcomers = (path: Path, ids: readonly NodeId[]): void => {
    const strangers = ids.filter((id) => !machines.includes(id));
    if (strangers.length > 0) {
      const known = `ids of machines, ${rangeOf(machines)}; not ${strangers.join(', ')} (cluster.spares says how many)`;
      found.push({ path, expected: known });
    } else {
      const present = ids.filter((id) => members?.has(id) === true);
      if (present.length > 0) found.push({ path, expected: `ids of no members; not ${present.join(', ')}` });
    }
  };
  const listed = (path: Path, ids: readonly NodeId[]): void => {
    const strangers = members === null ? [] : ids.filter((id) => !members.has(id));
    if (strangers.length > 0) {
      const known = [...(members ?? [])].join(', ');
      found.push({ path, expected: `ids of members, then ${known}; not ${strangers.join(', ')}` });
    }
  };
  newcomers([...at, 'add'], wish.add);
  newcomers([...at, 'add-learners'], wish.addLearners);
  newcomers(
    [...at, 'replace'],
    wish.replace.map(({ by }) => by),
  );
  listed([...at, 'promote'], wish.promote);
  listed(
    [...at, 'replace'],
    wish.replace.map(({ id }) => id),
  );
  listed([...at, 'demote'], idsOf(wish.demote));
  listed([...at, 'remove'], idsOf(wish.remove));
  return found;
}

/** null: not known before the run. */
function membersAfter(wish: MembershipWish, before: ReadonlySet<NodeId>): ReadonlySet<NodeId> | null {
  if (wish.remove !== null && wish.remove.kind !== 'ids') return null;
  const members = new Set([...before, ...wish.add, ...wish.addLearners]);
  for (const id of idsOf(wish.remove)) members.delete(id);
  for (const { id, by } of wish.replace) {
    members.delete(id);
    members.add(by);
  }
  return members;
}

function idsOf(selector: Selector | null): readonly NodeId[] {
  return selector?.kind === 'ids' ? selector.ids : [];
}

export function idsUpTo(count: number): NodeId[] {
  return Array.from({ length: count }, (_, at) => `n${at + 1}`);
}

/** `n1 to n5`. */
export function rangeOf(ids: readonly NodeId[]): string {
  return ids.length === 1 ? `${ids[0]}` : `${ids[0]} to ${ids.at(-1)}`;
}
