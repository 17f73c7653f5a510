import { expect, test } from 'vitest';
import type { Configuration } from '../../src/raft/configuration.ts';
import { isJoint } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/entry.ts';
import { termAt } from '../../src/raft/log.ts';
import { currentConfiguration } from '../../src/raft/membership.ts';
import type { Envelope } from '../../src/raft/message.ts';
import { Cluster } from './cluster.ts';
import { memberOf } from './sample-log.ts';

/*
 * Dissertation 4.3: what follows a joint configuration takes both majorities, in the term of whoever appends
 * it. c leads term 2 and is cut off with the C_new = {c, d, e} that it appended last; a finds the joint one.
 *
 *     a  ... joint    noop 3  C_old 3       elected in term 3 by a, b and d, e
 *     b  ... joint    noop 3  C_old 3
 *     c  ... joint    C_new 2               counts c, d, e alone
 *     d  ... joint                          heard nothing of term 3 but the question for its vote
 *     e  ... joint
 *
 * Were C_old committed by a and b now, c could still win d in term 4, with the longer log, and overwrite it.
 * Once the no-op of term 3 is on a majority of c, d, e as well, c cannot win any more.
 */

const isNew = ({ voters, outgoing }: Configuration): boolean =>
  outgoing.length === 0 && voters.some(({ id }) => id === 'd');
const among =
  (ids: string) =>
  ({ from, to }: Envelope): boolean =>
    ids.includes(from.id) && ids.includes(to.id);
const isVoting = ({ message }: Envelope): boolean =>
  message.kind.endsWith('Vote') || message.kind.endsWith('VoteResponse');
const bringsNew = ({ message }: Envelope): boolean =>
  message.kind === 'AppendEntries' &&
  message.entries.some((entry: Entry) => entry.kind === 'configuration' && isNew(entry.configuration));

class Story extends Cluster {
  configuration(id: string): Configuration {
    return currentConfiguration(this.core(id).state);
  }

  abort(id: string) {
    const result = this.core(id).abortMembership(this.now);
    this.drain(this.replica(id));
    return result;
  }
}

/** As drawn, but for what a appends after its no-op. */
function drawn(): Story {
  const story = new Story([...'abcde'], { founders: [...'abc'] });
  story.elect('c');
  story.run(200);
  story
    .core('c')
    .proposeMembership(story.now, { add: [memberOf('d'), memberOf('e')], remove: ['a', 'b'] }, null);
  story.drain(story.replica('c'));
  const isOver = () => isNew(story.configuration('c'));
  for (let turn = 0; turn < 400 && !isOver(); turn += 1) story.run(5, (envelope) => !bringsNew(envelope));
  expect(isOver(), 'c is at its end').toBe(true);
  story.elect('a', (envelope) => among('ab')(envelope) || (among('abde')(envelope) && isVoting(envelope)));
  for (const id of 'abde') expect(isJoint(story.configuration(id)), id).toBe(true);
  return story;
}

test('a successor that finds a joint configuration cannot abort it before both majorities hold an entry of its own', () => {
  const story = drawn();
  expect(story.abort('a')).toMatchObject({ accepted: false, reason: 'term-not-committed' });

  // What would have come of it: a and b alone decide nothing, and c may well lead again.
  story.settle(among('ab'));
  const committed = story.core('a').state.commitIndex;
  story.elect('c', among('cde'));
  for (let index = 1; index <= committed; index += 1) {
    expect(termAt(story.core('c').state.log, index)).toBe(termAt(story.core('a').state.log, index));
  }
});
