import type { Configuration, Member } from '../../src/raft/configuration.ts';
import { members } from '../../src/raft/configuration.ts';
import { describeConfiguration, describeProgress, describeState } from '../../src/raft/describe.ts';
import { currentConfiguration } from '../../src/raft/membership.ts';
import type { MembershipChange } from '../../src/raft/membership-change.ts';
import { replica as pairOf } from './harness.ts';
import { TraceCluster } from './trace-cluster.ts';
import { TraceTeller } from './trace-teller.ts';
import type { Words } from './trace-words.ts';
import { linkOf, optionsOf, wholeNumber, wordsOf } from './trace-words.ts';

/** Aloud: messages and all. Quietly: what is different at the end. */
type Voice = 'aloud' | 'quietly';

interface Setup {
  readonly words: Words;
  readonly logs: Words[];
}

/**
 * Does what the commands of one trace say to bare cores, and tells what came of it. The commands are listed
 * in traces/README.md.
 */
export class TraceDriver {
  #setup: Setup | null = null;
  #running: { readonly cluster: TraceCluster; readonly teller: TraceTeller } | null = null;

  /** @returns what changed, one line each. */
  tell(command: string): string[] {
    const words = wordsOf(command);
    if (words.verb === 'cluster') {
      this.#setup = { words, logs: [] };
      this.#running = null;
      return [];
    }
    if (words.verb === 'log') {
      if (this.#setup === null || this.#running !== null) throw new Error('a log is given with its cluster');
      this.#setup.logs.push(words);
      return [];
    }
    if (words.named.size > 0 && !['change', 'join', 'snapshot'].includes(words.verb)) {
      throw new Error(`${words.verb} takes no ${[...words.named.keys()].join(', ')}`);
    }
    const { teller } = this.#begun();
    const spoken = words.plain.at(-1);
    const asked = spoken === 'aloud' || spoken === 'quietly' ? spoken : null;
    teller.begin(asked ?? voiceOf(words.verb));
    this.#do(asked === null ? words : { ...words, plain: words.plain.slice(0, -1) });
    return teller.end();
  }

  #begun(): { readonly cluster: TraceCluster; readonly teller: TraceTeller } {
    if (this.#running !== null) return this.#running;
    if (this.#setup === null) throw new Error('there is no cluster yet');
    const { words, logs } = this.#setup;
    const { newcomers = [], ...options } = Object.fromEntries(words.named);
    const cluster = new TraceCluster(
      words.plain,
      newcomers,
      optionsOf(new Map(Object.entries(options))),
      logs.map(({ plain: [id = '', ...terms], named }) => ({
        id,
        terms: terms.map(wholeNumber),
        term: named.has('term') ? wholeNumber(named.get('term')?.[0]) : null,
      })),
    );
    const teller = new TraceTeller(cluster.replicas);
    cluster.onSend = (_replica, envelope) => teller.onSend(envelope);
    cluster.onStep = (replica) => teller.onStep(replica);
    cluster.onTold = (line) => teller.sayAloud(line);
    this.#running = { cluster, teller };
    return this.#running;
  }

  #do(words: Words): void {
    const { cluster, teller } = this.#begun();
    const { verb, plain, named } = words;
    const [id = '', second] = plain;
    switch (verb) {
      case 'elect':
        cluster.electByVotes(id);
        break;
      case 'propose': {
        const result = cluster.propose(id, ...plain.slice(1));
        if (!result.accepted) teller.say(`${id} refuses: ${result.reason}`);
        break;
      }
      case 'change': {
        const expected = named.get('expected')?.[0] ?? null;
        const core = cluster.core(id);
        const result = core.proposeMembership(cluster.now, changeOf(cluster, named), expected);
        if (!result.accepted) teller.say(`${id} refuses: ${result.reason} (${result.why})`);
        cluster.drain(cluster.replica(id));
        break;
      }
      case 'abort': {
        const result = cluster.core(id).abortMembership(cluster.now);
        if (!result.accepted) teller.say(`${id} refuses: ${result.reason} (${result.why})`);
        cluster.drain(cluster.replica(id));
        break;
      }
      case 'join':
        cluster.askToJoin(id, second ?? '', {
          life: named.has('life') ? wholeNumber(named.get('life')?.[0]) : null,
          address: named.get('address')?.[0] ?? null,
        });
        break;
      case 'deliver':
        for (const link of plain) cluster.deliverAll(linkOf(link));
        break;
      case 'drop':
        for (const link of plain) cluster.drop(linkOf(link));
        break;
      case 'hold':
        for (const link of plain) cluster.hold(linkOf(link));
        break;
      case 'release':
        for (const link of plain) cluster.release(linkOf(link));
        break;
      case 'duplicate':
        for (const link of plain) cluster.duplicate(linkOf(link));
        break;
      case 'settle':
        cluster.settle(cluster.passes);
        break;
      case 'run':
        cluster.run(wholeNumber(id), cluster.passes);
        break;
      case 'wait':
        cluster.now += wholeNumber(id);
        break;
      case 'tick':
        cluster.fire(id);
        break;
      case 'partition':
        cluster.partition(plain.map((side) => side.split(',')));
        break;
      case 'heal':
        cluster.partition([]);
        break;
      case 'crash':
        cluster.core(id);
        cluster.crash(id);
        break;
      case 'restart':
        if (cluster.replica(id).core !== null) cluster.crash(id);
        cluster.start(id);
        break;
      case 'wipe':
        cluster.wipe(id);
        break;
      case 'copy':
        cluster.copyDisk(id);
        break;
      case 'rollback':
        cluster.rollBackDisk(id);
        break;
      case 'disk':
        cluster.setDisk(id, speedOf(second));
        break;
      case 'persist':
        cluster.persist(id, second === undefined ? undefined : wholeNumber(second));
        break;
      case 'applying':
        cluster.setApplying(id, speedOf(second));
        break;
      case 'apply':
        cluster.applyOne(id);
        break;
      case 'snapshot':
        cluster.compact(id, undefined, named.has('keep') ? wholeNumber(named.get('keep')?.[0]) : 0);
        break;
      case 'chunk':
        cluster.doChunks(id, second === undefined ? undefined : wholeNumber(second));
        break;
      case 'load':
        cluster.doLoads(id);
        break;
      case 'show':
        for (const line of shown(cluster, plain)) teller.say(line);
        break;
      default:
        throw new Error('there is no such command');
    }
  }
}

function voiceOf(verb: string): Voice {
  return ['elect', 'settle', 'run', 'restart', 'wipe', 'crash', 'drop'].includes(verb) ? 'quietly' : 'aloud';
}

function speedOf(word: string | undefined): 'slow' | 'quick' {
  if (word !== 'slow' && word !== 'quick') throw new Error('it is slow or quick');
  return word;
}

/** `add`, `learner`, `promote`, `demote` and `remove` name replicas; `replace=S3:S4`; `move=S3:newhost:1`. */
function changeOf(cluster: TraceCluster, named: Words['named']): MembershipChange {
  const known = ['add', 'learner', 'promote', 'demote', 'remove', 'replace', 'move', 'expected'];
  const unknown = [...named.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`a change has no ${unknown}`);
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
