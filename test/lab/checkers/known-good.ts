import { accepted, append, heartbeat, heartbeatAnswer, preVote, requestVote, vote } from './messages.ts';
import type { Stream } from './stream.ts';
import { command, configured, noop } from './stream.ts';

/**
 * A correct cluster of three: n1 bootstraps, leads term 2 and commits up to 3; n1 is cut off with entry 4
 * of its own, n2 leads term 3 and commits another entry 4; n1 crashes, comes back and gives its entry 4 up.
 */
export function knownGood(stream: Stream): Stream {
  const first = configured(1, 1);
  const [second, third] = [noop(2, 2), command(3, 2, 'x')];
  const [lost, fourth, fifth] = [command(4, 2, 'lost'), noop(4, 3), command(5, 3, 'y')];

  stream.opened('n1').opened('n2').opened('n3');
  stream.wroteDurably('n1', { term: 1, vote: 'n1', entries: [first] }).step('n1', { term: 1, vote: 'n1' });
  stream.sent('n2', 'n1', preVote(2)).sent('n3', 'n1', preVote(2));
  stream.wrote('n1', { term: 2, vote: 'n1' }).step('n1', { role: 'candidate', term: 2, vote: 'n1' });
  stream.persisted('n1').sent('n1', 'n2', requestVote(2)).sent('n1', 'n3', requestVote(2));
  stream.wroteDurably('n2', { term: 2, vote: 'n1' }).sent('n2', 'n1', vote(2));
  stream.step('n2', { term: 2, vote: 'n1' });
  stream
    .becameLeader('n1', 2)
    .wrote('n1', { entries: [second] })
    .sent('n1', 'n2', append(2));
  stream.sent('n1', 'n3', heartbeat(2)).step('n1', { role: 'leader', term: 2, vote: 'n1' });
  stream
    .wrote('n2', { entries: [first, second] })
    .sent('n2', 'n1', accepted(2, 0, 2))
    .persisted('n2');
  stream.sent('n2', 'n1', accepted(2, 2)).persisted('n1');
  stream.step('n1', { role: 'leader', term: 2, vote: 'n1', commit: 2 }).applied('n1', first, second);
  stream.wrote('n1', { entries: [third] }).wroteDurably('n2', { entries: [third] });
  stream.wroteDurably('n3', { term: 2, entries: [first, second, third] });
  stream.sent('n3', 'n1', heartbeatAnswer(2, 3)).step('n3', { term: 2 }).persisted('n1');
  stream.step('n1', { role: 'leader', term: 2, vote: 'n1', commit: 3, applied: 2 }).applied('n1', third);
  stream.step('n2', { term: 2, vote: 'n1', commit: 3 }).applied('n2', first, second, third);

  stream.wroteDurably('n1', { entries: [lost] }).step('n1', {
    role: 'leader',
    term: 2,
    vote: 'n1',
    commit: 3,
    applied: 3,
  });
  stream.wroteDurably('n2', { term: 3, vote: 'n2' }).sent('n2', 'n3', requestVote(3));
  stream.wroteDurably('n3', { term: 3, vote: 'n2' }).sent('n3', 'n2', vote(3));
  stream.wrote('n2', { entries: [fourth] });
  stream.step('n2', { role: 'leader', term: 3, vote: 'n2', commit: 3, applied: 3 });
  stream
    .wroteDurably('n3', { entries: [fourth] })
    .sent('n3', 'n2', accepted(3, 4))
    .persisted('n2');
  stream.step('n2', { role: 'leader', term: 3, vote: 'n2', commit: 4, applied: 3 }).applied('n2', fourth);

  stream
    .crashed('n1')
    .opened('n1', { term: 2, vote: 'n1', log: [1, 2, 2, 2] })
    .step('n1', { term: 2, vote: 'n1' });
  stream.wrote('n1', { term: 3, cutFrom: 4, entries: [fourth] }).step('n1', { term: 3, commit: 3 });
  stream.applied('n1', first, second, third).persisted('n1').sent('n1', 'n2', accepted(3, 4));
  stream.wroteDurably('n2', { entries: [fifth] }).wroteDurably('n1', { entries: [fifth] });
  stream.sent('n1', 'n2', heartbeatAnswer(3, 5));
  stream.step('n2', { role: 'leader', term: 3, vote: 'n2', commit: 5, applied: 4 }).applied('n2', fifth);
  stream.step('n1', { term: 3, commit: 5, applied: 3 }).applied('n1', fourth, fifth);
  return stream.step('n1', { term: 3, commit: 5, applied: 5 }).finish();
}
