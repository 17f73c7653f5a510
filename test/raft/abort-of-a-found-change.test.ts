import { expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { Cluster, memberOf } from './harness.ts';

/** Only what passes between these. */
const among =
  (ids: string) =>
  ({ from, to }: Envelope): boolean =>
    ids.includes(from.id) && ids.includes(to.id);

/**
 * c leads term 2 from {a b c} to {c d e}, has appended C_new, and is cut off before anybody has it. a is elected
 * by both majorities, and what it appends reaches b alone.
 *
 *     a   1  2  C_old,new   noop
 *     b   1  2  C_old,new   noop
 *     c   1  2  C_old,new   C_new
 *     d   1  2  C_old,new
 *     e   1  2  C_old,new
 */
function succeeded(): Cluster {
  const cluster = new Cluster([...'abcde'], { founders: [...'abc'] });
  cluster.elect('c');
  cluster.settle();
  const change = { add: [memberOf('d'), memberOf('e')], remove: ['a', 'b'] };
  expect(cluster.core('c').proposeMembership(cluster.now, change, null)).toMatchObject({ accepted: true });
  cluster.drain(cluster.replica('c'));
  const isNew = ({ message }: Envelope): boolean =>
    message.kind === 'AppendEntries' &&
    message.entries.some(
      (entry) =>
        entry.kind === 'configuration' &&
        entry.configuration.outgoing.length === 0 &&
        entry.configuration.voters.some(({ id }) => id === 'd'),
    );
  for (let turn = 0; turn < 50 && inForce(cluster, 'c') !== 'c,d,e|'; turn += 1) {
    cluster.run(20, (envelope) => !isNew(envelope));
  }
  expect(inForce(cluster, 'c')).toBe('c,d,e|');
  cluster.run(3000, () => false);
  const toNewcomers = ({ to, message }: Envelope): boolean =>
    message.kind === 'AppendEntries' && ['d', 'e'].includes(to.id);
  cluster.elect('a', (envelope) => among('abde')(envelope) && !toNewcomers(envelope));
  return cluster;
}

function inForce(cluster: Cluster, id: string): string {
  const configuration = cluster.core(id).state.configurations.at(-1)?.configuration;
  const names = (set: readonly { id: string }[] = []): string => set.map((member) => member.id).join();
  return `${names(configuration?.voters)}|${names(configuration?.outgoing)}`;
}

test('a joint configuration that was found is not aborted before an entry of the own term is committed', () => {
  const cluster = succeeded();
  const aborted = cluster.core('a').abortMembership(cluster.now);
  expect(aborted).toMatchObject({ accepted: false, reason: 'term-not-committed' });
});

test('the old and the new voters do not decide apart', () => {
  const cluster = succeeded();
  cluster.core('a').abortMembership(cluster.now);
  cluster.drain(cluster.replica('a'));
  cluster.run(400, among('ab'));
  cluster.run(3000, () => false);
  cluster.elect('c', among('ce'));
  cluster.run(400, among('ce'));
  const [a, c] = [cluster.core('a').state, cluster.core('c').state];
  const common = Math.min(a.commitIndex, c.commitIndex);
  const termsUpTo = (state: typeof a): unknown =>
    state.log.runs.filter(({ firstIndex }) => firstIndex <= common);
  expect(termsUpTo(a)).toEqual(termsUpTo(c));
});

test('once it is, the change goes on to the new voters', () => {
  const cluster = succeeded();
  cluster.run(1000, among('abde'));
  for (const id of 'de') expect(inForce(cluster, id), id).toBe('c,d,e|');
});
