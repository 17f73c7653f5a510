import type { Random } from '../../src/doors/random.ts';
import type { NodeId } from '../../src/raft/identity.ts';
import type { MembershipWish, Selector } from '../scenario/scenario.ts';
import type { OrderedChange, World } from '../world/world.ts';
import { resolveSelector } from './resolve-selector.ts';

/** Whom a wish means at this moment; null while it needs a leader and there is none. */
export function resolveWish(wish: MembershipWish, world: World, random: Random): OrderedChange | null {
  const { add, addLearners, promote, replace } = wish;
  const resolve = (selector: Selector | null): NodeId[] | null =>
    selector === null ? [] : resolveSelector(selector, world, random);
  const demote = resolve(wish.demote);
  const remove = resolve(wish.remove);
  return demote === null || remove === null ? null : { add, addLearners, promote, demote, remove, replace };
}

/** Everybody it names. */
export function namedIn(change: OrderedChange): NodeId[] {
  const { add, addLearners, promote, demote, remove, replace } = change;
  return [
    ...add,
    ...addLearners,
    ...promote,
    ...demote,
    ...remove,
    ...replace.flatMap(({ id, by }) => [id, by]),
  ];
}

/** `add n4, n5; remove n1`. */
export function describeChange(change: OrderedChange): string {
  const { add, addLearners, promote, demote, remove, replace } = change;
  const parts: [string, readonly string[]][] = [
    ['add', add],
    ['add as learner', addLearners],
    ['promote', promote],
    ['demote', demote],
    ['remove', remove],
    ['replace', replace.map(({ id, by }) => `${id} by ${by}`)],
  ];
  return parts.flatMap(([verb, ids]) => (ids.length === 0 ? [] : [`${verb} ${ids.join(', ')}`])).join('; ');
}
