import { describe, expect, test } from 'vitest';
import { AcknowledgedWrites } from '../../../lab/checkers/acknowledged-writes.ts';
import { CommitQuorum } from '../../../lab/checkers/commit-quorum.ts';
import { DurableBeforeSend } from '../../../lab/checkers/durable-before-send.ts';
import { LeaderAppendOnly } from '../../../lab/checkers/leader-append-only.ts';
import { LeaderCompleteness } from '../../../lab/checkers/leader-completeness.ts';
import { LogMatching } from '../../../lab/checkers/log-matching.ts';
import { Monotone } from '../../../lab/checkers/monotone.ts';
import { PersistedSurvives } from '../../../lab/checkers/persisted-survives.ts';
import { ReplicaEquality } from '../../../lab/checkers/replica-equality.ts';
import { StateMachineSafety } from '../../../lab/checkers/state-machine-safety.ts';
import { History } from '../../../lab/workload/history.ts';
import type { Message } from '../../../src/raft/message.ts';
import { accepted, vote } from './messages.ts';
import { sentence } from './sentence.ts';
import { command, configured, floorAt, noop, type Stream, snapshotAt } from './stream.ts';

const log = [configured(1, 1), noop(2, 2), command(3, 2)];

describe('a log that begins after a snapshot', () => {
  test('is durable where its floor is: not before, and not in place of what it gives up', () => {
    const said = (tell: (stream: Stream) => Stream): string | null => sentence(new DurableBeforeSend(), tell);
    const installed = (stream: Stream): Stream =>
      stream
        .opened('n2')
        .wroteDurably('n2', { term: 2, entries: log })
        .wrote('n2', { floor: floorAt(9, 2) });
    expect(said((stream) => installed(stream).sent('n2', 'n1', accepted(2, 9)))).toMatch(
      /holds up to entry 9, but only entry 3 was durable/,
    );
    expect(said((stream) => installed(stream).persisted('n2').sent('n2', 'n1', accepted(2, 9)))).toBe(null);
    const stored = (stream: Stream): Stream =>
      installed(stream).snapshotStored('n2', snapshotAt(9, 2), 'received');
    expect(said((stream) => stored(stream).sent('n2', 'n1', accepted(2, 9)))).toBe(null);
    expect(said((stream) => stored(stream).sent('n2', 'n1', accepted(2, 10)))).toMatch(
      /but only entry 9 was durable/,
    );
    const replaced = (stream: Stream): Stream =>
      stream
        .opened('n2')
        .wroteDurably('n2', { term: 2, entries: log })
        .wrote('n2', { floor: floorAt(2, 3) });
    expect(said((stream) => replaced(stream).sent('n2', 'n1', accepted(2, 3)))).toMatch(
      /but only entry 2 was durable/,
    );
    const compacted = (stream: Stream): Stream =>
      stream
        .opened('n2')
        .wroteDurably('n2', { term: 2, entries: log })
        .wrote('n2', { floor: floorAt(2, 2) });
    expect(said((stream) => compacted(stream).sent('n2', 'n1', accepted(2, 3)))).toBe(null);
  });

  test('is recovered as it was, or as a write under way would make it', () => {
    const recovering = (recovered: Parameters<Stream['opened']>[1]): string | null =>
      sentence(new PersistedSurvives(), (stream) =>
        stream
          .opened('n1')
          .wroteDurably('n1', { entries: log })
          .wroteDurably('n1', { floor: floorAt(1, 1) })
          .wrote('n1', { floor: floorAt(2, 2) })
          .crashed('n1')
          .opened('n1', recovered),
      );
    expect(recovering({ floor: floorAt(1, 1), log: [2, 2] })).toBe(null);
    expect(recovering({ floor: floorAt(2, 2), log: [2] })).toBe(null);
    expect(recovering({ log: [1, 2, 2] })).toMatch(/^n1 recovered a log it never had/);
    expect(recovering({ floor: floorAt(3, 2) })).toMatch(/^n1 recovered a log it never had/);
    expect(recovering({ floor: floorAt(2, 2), log: [] })).toMatch(/^n1 persisted entry 3 of term 2/);
  });

  test('begins after an entry that was written, and goes on as all others do', () => {
    const wrote = (tell: (stream: Stream) => Stream): string | null => sentence(new LogMatching(), tell);
    const n1 = (stream: Stream): Stream => stream.opened('n1').opened('n2').wrote('n1', { entries: log });
    expect(wrote((stream) => n1(stream).wrote('n2', { floor: floorAt(3, 1) }))).toBe(
      'n2 lets its log begin after entry 3 of term 1, which nobody ever wrote',
    );
    const installed = (stream: Stream): Stream => n1(stream).wrote('n2', { floor: floorAt(2, 2) });
    expect(wrote((stream) => installed(stream).wrote('n2', { entries: [command(3, 2)] }))).toBe(null);
    expect(wrote((stream) => installed(stream).wrote('n2', { entries: [command(3, 2, 'other')] }))).toMatch(
      /different contents/,
    );
    expect(wrote((stream) => installed(stream).wrote('n2', { entries: [command(4, 2)] }))).toBe(
      'n2 wrote entry 4 after the end of its log at 2',
    );
  });

  test('a leader may let its log begin later, and may not replace it', () => {
    const leading = (floor: ReturnType<typeof floorAt>): string | null =>
      sentence(new LeaderAppendOnly(), (stream) =>
        stream
          .opened('n1')
          .wrote('n1', { entries: log })
          .step('n1', { role: 'leader', term: 2 })
          .wrote('n1', { floor })
          .step('n1', { role: 'leader', term: 2 }),
      );
    expect(leading(floorAt(3, 2))).toBe(null);
    expect(leading(floorAt(4, 2))).toBe('n1 cut its log from entry 1 on while it led term 2');
    expect(leading(floorAt(2, 1))).toMatch(/cut its log/);
  });

  test('a later leader with a snapshot of something else than what was committed', () => {
    const leads = (floor: ReturnType<typeof floorAt>): string | null =>
      sentence(new LeaderCompleteness(), (stream) =>
        stream
          .opened('n1')
          .opened('n2')
          .wrote('n1', { entries: log })
          .step('n1', { role: 'leader', term: 2, commit: 3 })
          .wrote('n2', { floor })
          .step('n2', { role: 'leader', term: 3 }),
      );
    expect(leads(floorAt(3, 2))).toBe(null);
    expect(leads(floorAt(3, 1))).toBe(
      'n2 leads term 3 without committed entry 3 of term 2: its log has one of term 1 there',
    );
    expect(leads(floorAt(2, 2))).toMatch(/its log ends at 2/);
  });
});

describe('a state machine restored from a snapshot', () => {
  test('goes on after it, and never back', () => {
    const then = (index: number, restoredAt = 5): string | null =>
      sentence(new StateMachineSafety(), (stream) =>
        stream
          .opened('n1')
          .applied('n1', command(1, 1), command(2, 1))
          .restored('n1', snapshotAt(restoredAt, 1))
          .applied('n1', command(index, 1)),
      );
    expect(then(6)).toBe(null);
    expect(then(7)).toMatch(/too early/);
    expect(then(5)).toMatch(/again/);
    expect(then(2, 1)).toBe(
      'n1 was restored from a snapshot at entry 1, though its state machine had entry 2',
    );
    expect(then(3, 2)).toBe(null);
  });

  test('has the state that others had there', () => {
    const restoredAs = (appliedIndex: number, digest: number, content: number): string | null => {
      let state = { appliedIndex: 3, digest: 7, content: 9 };
      return sentence(new ReplicaEquality(() => state), (stream) => {
        stream.applied('n1', command(3, 1));
        state = { appliedIndex, digest, content };
        return stream.restored('n2', snapshotAt(4, 1));
      });
    };
    expect(restoredAs(3, 7, 9)).toBe(null);
    expect(restoredAs(3, 8, 9)).toBe('n2 and n1 have different states after entry 3 (digests 8 and 7)');
    expect(restoredAs(3, 7, 8)).toBe('n2 and n1 have different states after entry 3 (contents 8 and 9)');
    expect(restoredAs(4, 8, 8)).toBe(null);
    expect(restoredAs(5, 8, 8)).toBe(
      'n2 was restored from a snapshot at entry 4 and has the state after entry 5',
    );
    expect(restoredAs(2, 8, 8)).toBe(
      'n2 was restored from a snapshot at entry 4 and has not what n1 applied as entry 3',
    );
  });

  test('holds what others applied up to there, and nothing beyond', () => {
    const decode = (payload: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(payload));
    const set = (index: number, value: number): ReturnType<typeof command> =>
      command(index, 1, JSON.stringify({ kind: 'write', key: 'k', value }));
    const restoredAt = (index: number): string | null => {
      const history = new History();
      history.ok(history.call(0, { kind: 'write', key: 'k', value: 7 }, 1), { kind: 'write' }, 2);
      return sentence(new AcknowledgedWrites(history, decode), (stream) =>
        stream
          .opened('n1')
          .opened('n2')
          .applied('n1', noop(1, 1), set(2, 7))
          .crashed('n1')
          .restored('n2', snapshotAt(index, 1))
          .applied('n2', set(index + 1, 8))
          .finish(),
      );
    };
    expect(restoredAt(2)).toBe(null);
    expect(restoredAt(1)).toMatch(/n2 applied something else as entry 2$/);
  });
});

describe('an emptied disk', () => {
  test('is another server: the old one is missed by nobody, and the same may not come back', () => {
    const back = (
      incarnation: string,
      tell: (stream: Stream) => Stream = (stream) => stream.wiped('n1'),
    ): string | null =>
      sentence(new PersistedSurvives(), (stream) =>
        tell(stream.opened('n1').wroteDurably('n1', { entries: log }).crashed('n1')).opened('n1', {
          incarnation,
          boot: 1,
        }),
      );
    expect(back('other')).toBe(null);
    expect(back('other', (stream) => stream)).toMatch(/having lost the disk of disk-of-n1$/);
  });

  test('what its server had acknowledged still counts, and what it holds now does not', () => {
    const wiped = (tell: (stream: Stream) => Stream): string | null =>
      sentence(new CommitQuorum(), (stream) =>
        tell(
          stream
            .opened('n1')
            .opened('n2')
            .wroteDurably('n1', { term: 2, vote: 'n1', entries: log })
            .step('n1', { role: 'leader', term: 2 }),
        ).step('n1', { role: 'leader', term: 2, commit: 3 }),
      );
    const emptied = (stream: Stream): Stream =>
      stream.crashed('n2').wiped('n2').opened('n2', { incarnation: 'other' });
    expect(wiped((stream) => emptied(stream.wroteDurably('n2', { entries: log })))).toBe(null);
    expect(wiped((stream) => emptied(stream).wroteDurably('n2', { entries: log }))).toMatch(
      /only n1 held it durably/,
    );
  });
});

describe('a replica that the cluster does not take any more', () => {
  const gaveUp = (
    answer: 'boot-went-back' | 'waiting-for-operator',
    incarnation = 'other',
    toldBoot = 2,
  ): string | null => {
    const message: Message = { kind: 'JoinAnswer', answer, boot: toldBoot, leader: null };
    return sentence(new PersistedSurvives(), (stream) =>
      stream
        .opened('n1')
        .opened('n2')
        .wroteDurably('n2', { entries: log })
        .crashed('n2')
        .opened('n2', { log: [1, 2, 2] })
        .received('n2', 'n1', message)
        .opened('n2', { incarnation, boot: 1 }),
    );
  };

  test('gives its disk up when it was told so, and only then', () => {
    expect(gaveUp('boot-went-back')).toBe(null);
    expect(gaveUp('waiting-for-operator')).toMatch(/having lost the disk of disk-of-n2/);
  });

  test('was told so as the run that it is: no earlier one, and no later', () => {
    expect(gaveUp('boot-went-back', 'other', 1)).toMatch(/having lost the disk of disk-of-n2/);
    expect(gaveUp('boot-went-back', 'other', 2)).toBe(null);
    expect(gaveUp('boot-went-back', 'other', 3)).toMatch(/having lost the disk of disk-of-n2/);
  });

  test('does not become a server that was there before', () => {
    expect(gaveUp('boot-went-back', 'disk-of-n1')).toMatch(/having lost the disk of disk-of-n2/);
  });
});

describe('a disk that was set back, or copied', () => {
  const rolledBack = (stream: Stream): Stream =>
    stream
      .opened('n2')
      .wroteDurably('n2', { term: 4, vote: 'n1', entries: log })
      .sent('n2', 'n1', vote(4))
      .crashed('n2')
      .rolledBack('n2')
      .opened('n2', { term: 2, log: [1, 2], boot: 1 });

  test('may know less, and reuse its boot; that is the fault, not the replica', () => {
    expect(sentence(new PersistedSurvives(), rolledBack)).toBe(null);
    expect(sentence(new Monotone(), rolledBack)).toBe(null);
  });

  test('holds no snapshot of what it lost; a mere crash loses none', () => {
    const back = (tell: (stream: Stream) => Stream, promise: Message): string | null =>
      sentence(new DurableBeforeSend(), (stream) =>
        tell(
          stream
            .opened('n2')
            .wroteDurably('n2', { term: 4, vote: 'n1', entries: log })
            .snapshotStored('n2', snapshotAt(9, 2))
            .crashed('n2'),
        )
          .opened('n2', { term: 4, log: [1, 2, 2] })
          .sent('n2', 'n1', promise),
      );
    const crashed = (stream: Stream): Stream => stream;
    const setBack = (stream: Stream): Stream => stream.rolledBack('n2');
    expect(back(crashed, accepted(4, 9))).toBe(null);
    expect(back(setBack, accepted(4, 9))).toMatch(/but only entry 3 was durable/);
  });

  test('must survive the next restart as any other', () => {
    const again = (log: readonly number[]): string | null =>
      sentence(new PersistedSurvives(), (stream) =>
        rolledBack(stream).crashed('n2').opened('n2', { term: 2, log }),
      );
    expect(again([1, 2])).toBe(null);
    expect(again([1])).toMatch(/n2 persisted entry 2/);
  });

  test('must not vote a second time', () => {
    expect(sentence(new Monotone(), (stream) => rolledBack(stream).sent('n2', 'n3', vote(4)))).toBe(
      'n2 voted twice in term 4: for n1 and for n3',
    );
    expect(sentence(new Monotone(), (stream) => rolledBack(stream).sent('n2', 'n1', vote(4)))).toBe(null);
    const copied = (to: string): string | null =>
      sentence(new Monotone(), (stream) =>
        stream
          .opened('n2')
          .opened('n2-copy', { as: 'n2', boot: 2 })
          .sent('n2', 'n1', vote(4))
          .sent('n2-copy', to, vote(4)),
      );
    expect(copied('n3')).toBe('n2 voted twice in term 4: for n1 and for n3');
    expect(copied('n1')).toBe(null);
  });
});
