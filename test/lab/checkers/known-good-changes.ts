import type { Configuration } from '../../../src/raft/configuration.ts';
import { accepted, heartbeat, requestVote, vote } from './messages.ts';
import type { Stream } from './stream.ts';
import { command, configured, floorAt, memberOf, noop, snapshotAt, votersOf } from './stream.ts';

/** n3, once its disk was emptied. */
const n3again = { id: 'n3', incarnation: 'emptied' };
const [n1, n2] = [memberOf('n1'), memberOf('n2')];

/**
 * A correct cluster of three that forgets and changes: n1 leads term 2 and compacts its log up to 4; the
 * disk of n3 is emptied; n3 comes back as another server, gets the snapshot as a learner, and takes the place
 * of its earlier self by way of a joint configuration; n2 is restarted in the middle of it, and leads term 3.
 */
export function knownGoodChanges(stream: Stream): Stream {
  const first = configured(1, 1);
  const log = [first, noop(2, 2), command(3, 2, 'x'), command(4, 2, 'y')];
  stream.opened('n1').opened('n2').opened('n3');
  stream.wroteDurably('n1', { term: 2, vote: 'n1' }).sent('n1', 'n2', requestVote(2));
  stream.wroteDurably('n2', { term: 2, vote: 'n1' }).sent('n2', 'n1', vote(2));
  stream.wroteDurably('n1', { entries: log }).step('n1', { role: 'leader', term: 2, vote: 'n1' });
  stream.wroteDurably('n2', { entries: log }).wroteDurably('n3', { term: 2, entries: log.slice(0, 2) });
  stream.sent('n2', 'n1', accepted(2, 4));
  const leading = { role: 'leader', term: 2, vote: 'n1' } as const;
  const following = { term: 2, vote: 'n1' } as const;
  stream.step('n1', { ...leading, commit: 4 }).applied('n1', ...log);
  stream.step('n2', { ...following, commit: 4 }).applied('n2', ...log);

  const snapshot = snapshotAt(4, 2);
  stream
    .snapshotStored('n1', snapshot)
    .wroteDurably('n1', { floor: floorAt(4, 2) })
    .compacted('n1', 4);
  stream.step('n1', { ...leading, commit: 4, applied: 4 });
  stream.crashed('n3').wiped('n3').opened('n3', { incarnation: n3again.incarnation, boot: 1 });
  stream.step('n3', { term: 0 });

  const learning: Configuration = {
    ...votersOf('5.2', 'n1', 'n2', 'n3'),
    learners: [{ ...n3again, address: 'n3' }],
  };
  const joint: Configuration = {
    ...votersOf('6.2', n1, n2, n3again),
    outgoing: learning.voters,
  };
  const left: Configuration = { ...votersOf('8.3', n1, n2, n3again), retired: [memberOf('n3')] };
  const [fifth, sixth] = [configured(5, 2, 'c1', learning), configured(6, 2, 'c1', joint)];
  const [seventh, eighth] = [noop(7, 3), configured(8, 3, 'c1', left)];

  stream.wroteDurably('n1', { entries: [fifth] }).wroteDurably('n2', { entries: [fifth] });
  stream.step('n1', { ...leading, commit: 5, applied: 4 }).applied('n1', fifth);
  stream.sent('n1', 'n3', heartbeat(2)).wrote('n3', { term: 2 });
  stream.snapshotStored('n3', snapshot, 'received').wrote('n3', { floor: floorAt(4, 2) });
  stream.step('n3', { term: 2, commit: 4 }).restored('n3', snapshot).persisted('n3');
  stream.wroteDurably('n3', { entries: [fifth] }).sent('n3', 'n1', accepted(2, 5));
  stream.step('n3', { term: 2, commit: 5, applied: 4 }).applied('n3', fifth);

  stream.wroteDurably('n1', { entries: [sixth] }).step('n1', { ...leading, commit: 5, applied: 5 });
  stream.wroteDurably('n3', { entries: [sixth] }).wroteDurably('n2', { entries: [sixth] });
  stream.step('n1', { ...leading, commit: 6, applied: 5 }).applied('n1', sixth);

  stream.crashed('n2').opened('n2', {
    ...following,
    log: [1, 2, 2, 2, 2, 2],
    configurations: [first, fifth, sixth],
  });
  stream.crashed('n1').wroteDurably('n2', { term: 3, vote: 'n2' }).sent('n2', 'n3', requestVote(3));
  stream.wroteDurably('n3', { term: 3, vote: 'n2' }).sent('n3', 'n2', vote(3));
  stream.opened('n1', {
    ...following,
    floor: floorAt(4, 2),
    log: [2, 2],
    configurations: [fifth, sixth],
    applied: 4,
  });
  stream.wroteDurably('n1', { term: 3, vote: 'n2' }).sent('n1', 'n2', vote(3));
  const succeeding = { role: 'leader', term: 3, vote: 'n2' } as const;
  stream
    .becameLeader('n2', 3)
    .wroteDurably('n2', { entries: [seventh] })
    .step('n2', succeeding);
  stream.wroteDurably('n3', { entries: [seventh] }).wroteDurably('n1', { entries: [seventh] });
  stream.step('n2', { ...succeeding, commit: 7 }).applied('n2', ...log, fifth, sixth, seventh);
  stream.wroteDurably('n2', { entries: [eighth] }).wroteDurably('n3', { entries: [eighth] });
  stream.step('n2', { ...succeeding, commit: 8, applied: 7 }).applied('n2', eighth);
  stream.step('n3', { term: 3, vote: 'n2', commit: 8, applied: 5 }).applied('n3', sixth, seventh, eighth);
  stream.wroteDurably('n1', { entries: [eighth] }).step('n1', { term: 3, vote: 'n2', commit: 8, applied: 4 });
  return stream.applied('n1', fifth, sixth, seventh, eighth).finish();
}
