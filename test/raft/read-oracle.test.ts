import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/raft/message.ts';
import { Cluster } from './cluster.ts';
import { type PlantedBug, plantedBugs } from './models/planted-bugs.ts';
import { ReadOracle } from './models/read-oracle.ts';

/** n1 leads the others, and its entry of this term, 2, is committed everywhere. */
class Story extends Cluster {
  readonly oracle: ReadOracle;

  constructor(bug: PlantedBug | null, ids: readonly string[], options = {}) {
    super(ids, { options: { clockDriftMaxRatio: 0.1, electionTimeoutMaxMs: 501, ...options } });
    this.oracle = new ReadOracle(this);
    this.onStep = (target) => this.oracle.look(target);
    this.elect('n1');
    this.run(300);
    if (bug !== null) plantedBugs[bug](this);
    this.run(120);
  }

  /** What is under way and does not pass stays under way. */
  pass(passes: (envelope: Envelope) => boolean): void {
    for (let next = this.network.find(passes); next !== undefined; next = this.network.find(passes)) {
      this.deliver(next);
    }
  }

  /** If it can, `id` wins with the help of `others`, and commits its first entry. */
  campaign(id: string, ...others: string[]): void {
    const among = ({ from, to }: Envelope): boolean => {
      const inside = [id, ...others];
      return inside.includes(from.id) && inside.includes(to.id);
    };
    const isVote = ({ message }: Envelope): boolean => message.kind.includes('Vote');
    this.fire(id);
    this.pass((envelope) => isVote(envelope) && among(envelope));
    if (this.core(id).state.role !== 'leader') return;
    this.pass(among);
  }

  tick(id: string): void {
    const target = this.replica(id);
    this.core(id).tick(this.timeOf(target));
    this.drain(target);
  }
}

const three = ['n1', 'n2', 'n3'];
const link =
  (from: string, to: string, ...kinds: string[]) =>
  (envelope: Envelope): boolean =>
    envelope.from.id === from &&
    envelope.to.id === to &&
    (kinds.length === 0 || kinds.includes(envelope.message.kind));
const between =
  (...ids: string[]) =>
  ({ from, to }: Envelope): boolean =>
    ids.includes(from.id) && ids.includes(to.id);

/** n1 is stopped while n3 and n2 elect another leader, and wakes. */
function leaderPaused(bug: PlantedBug | null, options = {}): Story {
  const story = new Story(bug, three, options);
  story.pause('n1');
  story.now += 600;
  story.campaign('n3', 'n2');
  expect(story.core('n3').state.commitIndex).toBe(3);
  return story;
}

/** n3 was cut off for long enough to campaign, while n2 promised n1 not to vote. */
function thirdCutOff(bug: PlantedBug | null, options = {}): Story {
  const story = new Story(bug, three, options);
  story.network = [];
  const since = story.core('n3').state.leaderHeardAt ?? 0;
  story.run(since + 450 - story.now, between('n1', 'n2'));
  return story;
}

/** Each leads a cluster to where the bug, and the bug alone, makes a core say what is not so. */
const stories: Readonly<Record<PlantedBug, (bug: PlantedBug | null) => Story>> = {
  'a read is granted before an entry of the own term is committed (L1)': (bug) => {
    const story = new Story(bug, three);
    // n1 knows that x is committed, and n2 does not.
    story.propose('n1', 'x');
    story.pass(link('n1', 'n2'));
    story.pass(link('n2', 'n1'));
    story.crash('n1');
    story.now += 600;
    const heartbeats = ({ message }: Envelope): boolean =>
      message.kind.includes('Vote') || message.kind.includes('Heartbeat');
    story.fire('n2');
    story.pass((envelope) => between('n2', 'n3')(envelope) && heartbeats(envelope));
    story.oracle.ask('n2', { lease: false });
    story.now += 100;
    story.tick('n2');
    story.pass((envelope) => between('n2', 'n3')(envelope) && heartbeats(envelope));
    return story;
  },
  'a read is granted without a round (L2)': (bug) => {
    const story = leaderPaused(bug);
    story.resume('n1');
    story.oracle.ask('n1', { lease: false });
    return story;
  },
  'a read is granted by the round that is under way already': (bug) => {
    const story = new Story(bug, three);
    story.oracle.ask('n1', { lease: false });
    story.pass(link('n1', 'n2'));
    story.pause('n1');
    story.now += 600;
    story.campaign('n3', 'n2');
    story.resume('n1');
    story.oracle.ask('n1', { lease: false });
    story.pass(link('n2', 'n1', 'HeartbeatResponse'));
    return story;
  },
  'the lease goes on after a TimeoutNow': (bug) => {
    const story = new Story(bug, three);
    story.transfer('n1', 'n2');
    story.pass(link('n1', 'n2', 'TimeoutNow'));
    story.pass(between('n2', 'n3'));
    expect(story.core('n2').state.commitIndex).toBe(3);
    story.oracle.ask('n1', { lease: true });
    return story;
  },
  'the lease outlives a clock that went back (L3)': (bug) => {
    const story = leaderPaused(bug);
    story.setClock('n1', { byMs: -700 });
    story.resume('n1');
    story.tick('n1');
    story.oracle.ask('n1', { lease: true });
    return story;
  },
  'the lease allows for no drift': (bug) => {
    const story = new Story(bug, three, { clockDriftMaxRatio: 0.4 });
    story.setClock('n1', { rate: 0.75 });
    for (const id of ['n2', 'n3']) story.setClock(id, { rate: 1.25 });
    story.tick('n1');
    story.now += 140;
    story.tick('n1');
    story.settle();
    story.campaign('n3', 'n2');
    expect(story.core('n3').state.commitIndex).toBe(3);
    story.oracle.ask('n1', { lease: true });
    return story;
  },
  'the lease runs from when the answer came': (bug) => {
    const story = new Story(bug, three);
    story.now += 100;
    story.tick('n1');
    story.pass(link('n1', 'n2'));
    story.pass(link('n1', 'n3'));
    story.now += 400;
    story.pass(link('n2', 'n1'));
    story.campaign('n3', 'n2');
    expect(story.core('n3').state.commitIndex).toBe(3);
    story.oracle.ask('n1', { lease: true });
    return story;
  },
  'a promise is forgotten by a restart': (bug) => {
    const story = thirdCutOff(bug);
    story.crash('n2');
    story.start('n2');
    story.campaign('n3', 'n2');
    story.oracle.ask('n1', { lease: true });
    return story;
  },
  'a promise is not kept': (bug) => {
    const story = thirdCutOff(bug, { preVote: false });
    story.campaign('n3', 'n2');
    story.oracle.ask('n1', { lease: true });
    return story;
  },
  'a vote for a transfer looks at no log': (bug) => {
    const story = new Story(bug, three);
    story.transfer('n1', 'n3');
    story.run(600, between('n1', 'n2'));
    story.propose('n1', 'x');
    story.run(150, between('n1', 'n2'));
    const { clusterId, group, self } = story.core('n1').state;
    const to = story.core('n3').state.self;
    story.deliver({ clusterId, group, from: self, to, message: { kind: 'TimeoutNow', term: 2 } });
    story.pass(between('n2', 'n3'));
    story.oracle.ask('n3', { lease: false });
    story.pass(between('n2', 'n3'));
    return story;
  },
  'the stamp of an earlier boot is believed': (bug) => {
    const story = new Story(bug, three, { applyEntriesMax: 1 });
    story.run(200);
    const stamp = story.core('n1').state.progress[0]?.provenFreshness?.stamp ?? 0;
    story.crash('n2');
    story.run(2000);
    story.propose('n1', 'x');
    story.run(2000);
    // The clock of its next run begins about where that of the last one ended.
    story.setClock('n2', { byMs: stamp + 20 - story.timeOf(story.replica('n2')) });
    story.start('n2');
    const target = story.replica('n2');
    target.appliesAtOnce = false;
    story.run(210);
    while (target.applying !== null) {
      story.finishApply(target);
      story.drain(target);
    }
    return story;
  },
  'a stamp is proven by a round sent before it': (bug) => {
    const story = new Story(bug, ['n1', 'n2', 'n3', 'n4', 'n5']);
    story.transfer('n1', 'n3');
    story.pass(link('n1', 'n3', 'TimeoutNow'));
    story.pass(between('n3', 'n4', 'n5'));
    expect(story.core('n3').state.commitIndex).toBe(3);
    for (let round = 0; round < 3; round += 1) {
      story.now += 100;
      story.tick('n1');
      story.pass(between('n1', 'n2'));
    }
    return story;
  },
  'a stamp outlives a clock that went back': (bug) => {
    const story = new Story(bug, three);
    story.pause('n2');
    story.run(300);
    story.propose('n1', 'x');
    story.run(1000);
    // To a moment before it was stopped.
    const sinceStopped = story.timeOf(story.replica('n2')) - story.core('n2').state.now;
    story.setClock('n2', { byMs: -sinceStopped - 1 });
    story.resume('n2');
    story.pass(link('n1', 'n2', 'Heartbeat'));
    return story;
  },
  'what is not applied counts as fresh': (bug) => {
    const story = new Story(bug, three);
    story.replica('n2').appliesAtOnce = false;
    story.propose('n1', 'x');
    story.run(1000);
    return story;
  },
};

describe('the oracle of reads', () => {
  test.each(Object.keys(stories) as PlantedBug[])('sees that %s', (bug) => {
    expect(() => stories[bug](bug)).toThrow(
      /was committed before|is committed|misses|has another entry|what is proven is applied/,
    );
  });

  test.each(Object.keys(stories) as PlantedBug[])(
    'finds nothing wrong where nothing is planted: %s',
    (bug) => {
      expect(() => stories[bug](null)).not.toThrow();
    },
  );
});
