import type { Operation } from '../workload/history.ts';
import type { Violation } from './checker.ts';

export const overloadRefused = 'overload-refused';

/**
 * An overload was one, and was met as it should: a part of it was refused for that reason, and a part acknowledged.
 * Without a refusal nothing was shown, and a cluster that refuses all, or lets all of it wait, serves nobody.
 *
 * @param clients - how many clients there are beside those of the overload; theirs are the numbers from 0.
 */
export function findOverloadNotRefused(
  operations: readonly Operation[],
  clients: number,
  atMs: number,
): Violation | null {
  const offered = operations.filter(({ client }) => client >= clients);
  const refused = offered.filter(
    ({ outcome }) => outcome?.kind === 'failed' && outcome.error === 'Overloaded',
  ).length;
  const acknowledged = offered.filter(({ outcome }) => outcome?.kind === 'ok').length;
  if (refused > 0 && acknowledged > 0) return null;
  const sentence =
    `of ${offered.length} operations of the overload ${refused} were refused as overloaded and ` +
    `${acknowledged} acknowledged; some of each were expected`;
  return { checker: overloadRefused, sentence, atMs };
}
