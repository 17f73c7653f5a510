import type { Configuration, Member } from '../../src/raft/configuration.ts';
import { members } from '../../src/raft/configuration.ts';
import { describeConfiguration, describeProgress, describeState } from '../../src/raft/describe.ts';
import type { Stalled } from '../../src/raft/event.ts';
import { currentConfiguration } from '../../src/raft/membership.ts';
import type { MembershipChange, RefusedMembership } from '../../src/raft/membership-change.ts';
import { replica as pairOf } from './sample-log.ts';
import type { TraceCluster } from './trace-cluster.ts';
import type { TraceTeller } from './trace-teller.ts';
import type { Link, Words } from './trace-words.ts';
import { linkOf, wholeNumber } from './trace-words.ts';

export interface Stage {
  readonly cluster: TraceCluster;
  readonly teller: TraceTeller;
}

/** Aloud: messages and all. Quietly: what is different at the end. */
export type Voice = 'aloud' | 'quietly';

export interface Command {
  readonly voice: Voice;
  /** How many plain words follow, at least and at most. */
  readonly takes: readonly [least: number, most: number];
  readonly named?: readonly string[];
  readonly run: (stage: Stage, words: Words) => void;
}

const any = Number.POSITIVE_INFINITY;

/** What a trace may ask for; traces/README.md says what each means. */
export const commands: Readonly<Record<string, Command>> = {
  elect: ofReplica('quietly', (cluster, id) => cluster.electByVotes(id)),
  tick: ofReplica('aloud', (cluster, id) => cluster.fire(id)),
  crash: ofReplica('quietly', (cluster, id) => cluster.crashRunning(id)),
  restart: ofReplica('quietly', (cluster, id) => cluster.restart(id)),
  wipe: ofReplica('quietly', (cluster, id) => cluster.wipe(id)),
  copy: ofReplica('aloud', (cluster, id) => cluster.copyDisk(id)),
  rollback: ofReplica('aloud', (cluster, id) => cluster.rollBackDisk(id)),
  apply: ofReplica('aloud', (cluster, id) => cluster.applyOne(id)),
  load: ofReplica('aloud', (cluster, id) => cluster.doLoads(id)),

  persist: ofReplicaAndCount((cluster, id, count) => cluster.persist(id, count)),
  chunk: ofReplicaAndCount((cluster, id, count) => cluster.doChunks(id, count)),
  disk: ofReplicaAndSpeed((cluster, id, speed) => cluster.setDisk(id, speed)),
  applying: ofReplicaAndSpeed((cluster, id, speed) => cluster.setApplying(id, speed)),

  deliver: ofLinks('aloud', (cluster, link) => cluster.deliverAll(link)),
  drop: ofLinks('quietly', (cluster, link) => cluster.drop(link)),
  hold: ofLinks('aloud', (cluster, link) => cluster.hold(link)),
  release: ofLinks('aloud', (cluster, link) => cluster.release(link)),
  duplicate: ofLinks('aloud', (cluster, link) => cluster.duplicate(link)),

  settle: { voice: 'quietly', takes: [0, 0], run: ({ cluster }) => cluster.settle(cluster.passes) },
  run: {
    voice: 'quietly',
    takes: [1, 1],
    run: ({ cluster }, { plain }) => cluster.run(wholeNumber(plain[0]), cluster.passes),
  },
  wait: {
    voice: 'aloud',
    takes: [1, 1],
    run: ({ cluster }, { plain }) => {
      cluster.now += wholeNumber(plain[0]);
    },
  },
  partition: {
    voice: 'aloud',
    takes: [1, any],
    run: ({ cluster }, { plain }) => cluster.partition(plain.map((side) => side.split(','))),
  },
  cut: ofLinks('aloud', (cluster, link) => cluster.cut(link)),
  heal: { voice: 'aloud', takes: [0, 0], run: ({ cluster }) => cluster.mend() },

  propose: {
    voice: 'aloud',
    takes: [2, any],
    run: ({ cluster, teller }, { plain: [id = '', ...texts] }) => {
      const result = cluster.propose(id, ...texts);
      if (result.accepted) return;
      const bound = result.reason === 'overloaded' ? ` (${result.bound})` : '';
      teller.say(`${id} refuses: ${result.reason}${bound}`);
    },
  },
  read: {
    voice: 'aloud',
    takes: [1, 3],
    run: ({ cluster, teller }, { plain: [id = '', ...how] }) => {
      const lease = how.includes('lease');
      const [count = '1'] = how.filter((word) => word !== 'lease');
      const before = cluster.replica(id).reads.length;
      const { boot, sequence } = cluster.read(id, { lease, count: wholeNumber(count) });
      if (cluster.replica(id).reads.length === before)
        teller.say(`${id} has to wait for read ${boot}.${sequence}`);
    },
  },
  staleness: {
    voice: 'aloud',
    takes: [1, 1],
    run: ({ cluster, teller }, { plain: [id = ''] }) => {
      const ms = cluster.staleness(id);
      teller.say(ms === null ? `${id} cannot tell how stale it is` : `${id} is at most ${ms} ms stale`);
    },
  },
  transfer: {
    voice: 'aloud',
    takes: [1, 2],
    run: ({ cluster, teller }, { plain: [id = '', to] }) => {
      tellRefusal(teller, id, cluster.transfer(id, to ?? null));
    },
  },
  stepdown: {
    voice: 'aloud',
    takes: [1, 1],
    run: ({ cluster, teller }, { plain: [id = ''] }) => {
      const result = cluster.stepDown(id);
      if (!result.accepted) teller.say(`${id} refuses: ${result.reason}`);
    },
  },
  stall: {
    voice: 'aloud',
    takes: [2, 2],
    run: ({ cluster }, { plain: [id = '', what] }) => cluster.stall(id, stalledOf(what)),
  },
  answered: {
    voice: 'aloud',
    takes: [2, 2],
    run: ({ cluster }, { plain: [id = '', what] }) => cluster.answer(id, stalledOf(what)),
  },
  pause: ofReplica('aloud', (cluster, id) => cluster.pause(id)),
  resume: ofReplica('aloud', (cluster, id) => cluster.resume(id)),
  clockback: {
    voice: 'aloud',
    takes: [2, 2],
    run: ({ cluster }, { plain: [id = '', byMs] }) => cluster.setClockBack(id, wholeNumber(byMs)),
  },
  change: {
    voice: 'aloud',
    takes: [1, 1],
    named: ['expected', 'add', 'learner', 'promote', 'demote', 'remove', 'replace', 'move'],
    run: ({ cluster, teller }, { plain: [id = ''], named }) => {
      const expected = named.get('expected')?.[0] ?? null;
      const change = changeOf(cluster, named);
      tellRefusal(teller, id, cluster.core(id).proposeMembership(cluster.now, change, expected));
      cluster.drain(cluster.replica(id));
    },
  },
  abort: {
    voice: 'aloud',
    takes: [1, 1],
    run: ({ cluster, teller }, { plain: [id = ''] }) => {
      tellRefusal(teller, id, cluster.core(id).abortMembership(cluster.now));
      cluster.drain(cluster.replica(id));
    },
  },
  join: {
    voice: 'aloud',
    takes: [2, 2],
    named: ['life', 'address'],
    run: ({ cluster }, { plain: [id = '', to = ''], named }) => {
      const life = named.has('life') ? wholeNumber(named.get('life')?.[0]) : null;
      cluster.askToJoin(id, to, { life, address: named.get('address')?.[0] ?? null });
    },
  },
  snapshot: {
    voice: 'aloud',
    takes: [1, 1],
    named: ['keep'],
    run: ({ cluster }, { plain: [id = ''], named }) => {
      cluster.compact(id, undefined, named.has('keep') ? wholeNumber(named.get('keep')?.[0]) : 0);
    },
  },
  show: {
    voice: 'aloud',
    takes: [1, 2],
    run: ({ cluster, teller }, { plain }) => {
      for (const line of shown(cluster, plain)) teller.say(line);
    },
  },
};

function ofReplica(voice: Voice, run: (cluster: TraceCluster, id: string) => void): Command {
  return { voice, takes: [1, 1], run: ({ cluster }, { plain: [id = ''] }) => run(cluster, id) };
}

function ofReplicaAndCount(
  run: (cluster: TraceCluster, id: string, count: number | undefined) => void,
): Command {
  return {
    voice: 'aloud',
    takes: [1, 2],
    run: ({ cluster }, { plain: [id = '', count] }) =>
      run(cluster, id, count === undefined ? undefined : wholeNumber(count)),
  };
}

function ofReplicaAndSpeed(
  run: (cluster: TraceCluster, id: string, speed: 'slow' | 'quick') => void,
): Command {
  return {
    voice: 'aloud',
    takes: [2, 2],
    run: ({ cluster }, { plain: [id = '', speed] }) => {
      if (speed !== 'slow' && speed !== 'quick') throw new Error('it is slow or quick');
      run(cluster, id, speed);
    },
  };
}

function ofLinks(voice: Voice, run: (cluster: TraceCluster, link: Link) => void): Command {
  return {
    voice,
    takes: [1, any],
    run: ({ cluster }, { plain }) => {
      for (const link of plain) run(cluster, linkOf(link));
    },
  };
}

function stalledOf(word: string | undefined): Stalled {
  if (word !== 'storage' && word !== 'state-machine') throw new Error('it is storage or state-machine');
  return word;
}

function tellRefusal(
  teller: TraceTeller,
  id: string,
  result:
    | { readonly accepted: true }
    | (Pick<RefusedMembership, 'accepted' | 'why'> & { readonly reason: string }),
): void {
  if (!result.accepted) teller.say(`${id} refuses: ${result.reason} (${result.why})`);
}

/** `add`, `learner`, `promote`, `demote` and `remove` name replicas; `replace=S3:S4`; `move=S3:newhost:1`. */
function changeOf(cluster: TraceCluster, named: Words['named']): MembershipChange {
  const list = (name: string): readonly string[] => named.get(name) ?? [];
  const member = (id: string): Member => cluster.memberOf(id);
  return {
    add: [
      ...list('add').map(member),
      ...list('learner').map((id) => ({ ...member(id), role: 'learner' as const })),
    ],
    promote: list('promote'),
    demote: list('demote'),
    remove: list('remove'),
    replace: list('replace').map((pair) => {
      const [id = '', by = id] = pair.split(':');
      return { id, by: member(by) };
    }),
    update: list('move').map((pair) => {
      const at = pair.indexOf(':');
      return { id: pair.slice(0, at), address: pair.slice(at + 1) };
    }),
  };
}

function shown(cluster: TraceCluster, [what = '', id = '']: readonly string[]): string[] {
  switch (what) {
    case 'logs':
      return cluster.replicas.map((replica) => `${replica.id} ${cluster.termsOf(replica)}`);
    case 'members': {
      const views = new Map<string, string[]>();
      for (const replica of cluster.replicas) {
        if (replica.core === null) continue;
        const configuration = currentConfiguration(replica.core.state);
        const view = `${configuration.id}: ${describeConfiguration(configuration)}${laterLives(configuration)}`;
        views.set(view, [...(views.get(view) ?? []), replica.id]);
      }
      return [...views].map(([view, ids]) => `${ids.join(',')} ${view}`);
    }
    case 'messages':
      return cluster.messages();
    case 'progress':
      return cluster.core(id).state.progress.map(describeProgress);
    default:
      return [describeState(cluster.core(what).state)];
  }
}

/** What its names do not tell of a configuration: emptied disks, and other addresses than at first. */
function laterLives(configuration: Configuration): string {
  const all = members(configuration);
  const lives = all.filter(({ id, incarnation }) => incarnation !== pairOf(id).incarnation);
  const moved = all.filter(({ id, address }) => address !== `${id}:1`);
  const told = [
    ['as', lives.map(({ incarnation }) => incarnation)],
    ['retired', configuration.retired.map(({ incarnation }) => incarnation)],
    ['at', moved.map(({ address }) => address)],
  ] as const;
  return told.map(([name, list]) => (list.length > 0 ? ` ${name}=${list.join(',')}` : '')).join('');
}
