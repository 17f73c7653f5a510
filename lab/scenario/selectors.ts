import type { NodeId } from '../../src/raft/identity.ts';
import { didYouMean } from './did-you-mean.ts';
import { expected, type Parsed, parsed } from './parsed.ts';
import type { Selector } from './scenario.ts';

export const selectorWords = [
  'leader',
  'follower',
  'one follower',
  '2 followers',
  'all followers',
  'minority',
  'majority',
  '2 random',
  'all',
] as const;

export const selectorExpected =
  'a selector: leader, follower, 2 followers, all followers, minority, majority, 2 random, all, ' +
  'or replica ids such as n1 or [n1, n3]';

/** For the JSON Schema. */
export const selectorPattern =
  '^(leader|follower|(one|all|[1-9]\\d*) followers?|minority|majority|(one|[1-9]\\d*) random|all|n[1-9]\\d*)$';
export const replicaIdPattern = '^n[1-9]\\d*$';

const replicaId = new RegExp(replicaIdPattern);

/** Whom a fault strikes, in words; whether the cluster has that many is for the cross-checks. */
export function parseSelector(text: string): Parsed<Selector> {
  const words = text.trim().split(/\s+/).join(' ');
  if (words === 'leader' || words === 'minority' || words === 'majority' || words === 'all') {
    return parsed({ kind: words });
  }
  if (words === 'follower') return parsed({ kind: 'followers', count: 1 });
  if (/^all followers?$/.test(words)) return parsed({ kind: 'followers', count: 'all' });
  if (replicaId.test(words)) return parsed({ kind: 'ids', ids: [words] });

  const counted = /^(one|\d{1,3}) (followers?|random)$/.exec(words);
  if (counted) {
    const count = counted[1] === 'one' ? 1 : Number(counted[1]);
    if (count === 0) return expected('a count of 1 or more');
    return parsed(counted[2] === 'random' ? { kind: 'random', count } : { kind: 'followers', count });
  }
  if (/^n\d+([ ,]+n\d+)+$/.test(words)) {
    return expected(`several ids as a list: [${words.split(/[ ,]+/).join(', ')}]`);
  }
  const meant = didYouMean(words, selectorWords);
  return expected(meant === null ? selectorExpected : `${selectorExpected}; did you mean ${meant}?`);
}

export const partitionShapes = ['bridge', 'ring'] as const;
export type PartitionShapeName = (typeof partitionShapes)[number];
export const partitionExpected = `${selectorExpected}; or a shape: ${partitionShapes.join(', ')}`;

/** What stands for a whole partition: whom it cuts off, or its shape. */
export function parsePartition(text: string): Parsed<Selector | PartitionShapeName> {
  const shape = partitionShapes.find((name) => name === text.trim());
  if (shape !== undefined) return parsed(shape);
  const read = parseSelector(text);
  if (read.ok || !read.expected.startsWith(selectorExpected)) return read;
  const meant = didYouMean(text.trim(), [...selectorWords, ...partitionShapes]);
  return expected(meant === null ? partitionExpected : `${partitionExpected}; did you mean ${meant}?`);
}

export const replicaIdsExpected = 'replica ids such as n4 or [n4, n5]';
export const replacementsExpected = 'a mapping of replica ids to replica ids, such as {n1: n4}';

export function parseReplicaId(text: string): Parsed<readonly NodeId[]> {
  return replicaId.test(text.trim()) ? parsed([text.trim()]) : expected(replicaIdsExpected);
}

/** `[n1, n3]`. */
export function parseReplicaIds(ids: readonly string[]): Parsed<readonly NodeId[]> {
  if (ids.length === 0) return expected('at least one replica id, such as [n1]');
  for (const [position, id] of ids.entries()) {
    if (!replicaId.test(id)) {
      return expected(`a list of replica ids such as [n1, n3]; ${JSON.stringify(id)} is none`);
    }
    if (ids.indexOf(id) !== position) return expected(`each replica once; ${id} is there twice`);
  }
  return parsed([...ids]);
}

/** `{n1: n4}`; nobody takes two places, and nobody's own. */
export function parseReplacements(
  pairs: Readonly<Record<string, string>>,
): Parsed<readonly { readonly id: NodeId; readonly by: NodeId }[]> {
  const replaced = Object.entries(pairs).map(([id, by]) => ({ id, by }));
  if (replaced.length === 0) return expected(replacementsExpected);
  const ids = replaced.flatMap(({ id, by }) => [id, by]);
  for (const [position, id] of ids.entries()) {
    if (!replicaId.test(id)) return expected(`${replacementsExpected}; ${JSON.stringify(id)} is no id`);
    if (ids.indexOf(id) !== position) return expected(`each replica once; ${id} is there twice`);
  }
  return parsed(replaced);
}
