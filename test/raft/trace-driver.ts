import { TraceCluster } from './trace-cluster.ts';
import type { Command, Stage } from './trace-commands.ts';
import { commands } from './trace-commands.ts';
import { TraceTeller } from './trace-teller.ts';
import type { Words } from './trace-words.ts';
import { optionsOf, wholeNumber, wordsOf } from './trace-words.ts';

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
  #running: Stage | null = null;

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
    const stage = this.#begun();
    const spoken = words.plain.at(-1);
    const voice = spoken === 'aloud' || spoken === 'quietly' ? spoken : null;
    const plain = voice === null ? words.plain : words.plain.slice(0, -1);
    const asked = commandOf({ ...words, plain });
    stage.teller.begin(voice ?? asked.voice);
    asked.run(stage, { ...words, plain });
    return stage.teller.end();
  }

  #begun(): Stage {
    if (this.#running !== null) return this.#running;
    if (this.#setup === null) throw new Error('there is no cluster yet');
    const { words, logs } = this.#setup;
    const { newcomers = [], priority = [], ...options } = Object.fromEntries(words.named);
    const cluster = new TraceCluster(
      words.plain,
      newcomers,
      optionsOf(new Map(Object.entries(options))),
      logs.map(({ plain: [id = '', ...terms], named }) => ({
        id,
        terms: terms.map(wholeNumber),
        term: named.has('term') ? wholeNumber(named.get('term')?.[0]) : null,
      })),
      new Map(priority.map((pair) => prioritiesOf(pair))),
    );
    const teller = new TraceTeller(cluster.replicas);
    cluster.onSend = (_replica, envelope) => teller.onSend(envelope);
    cluster.onStep = (replica) => teller.onStep(replica);
    cluster.onGranted = (replica, read) => teller.onGranted(replica, read);
    cluster.onTold = (line) => teller.sayAloud(line);
    this.#running = { cluster, teller };
    return this.#running;
  }
}

/** `S1:50` */
function prioritiesOf(pair: string): [string, number] {
  const [id = '', priority] = pair.split(':');
  return [id, wholeNumber(priority)];
}

function commandOf({ verb, plain, named }: Words): Command {
  const command = Object.hasOwn(commands, verb) ? commands[verb] : undefined;
  if (command === undefined) throw new Error('there is no such command');
  const [least, most] = command.takes;
  if (plain.length < least || plain.length > most) throw new Error(`${plain.length} words after ${verb}`);
  const unknown = [...named.keys()].find((name) => !command.named?.includes(name));
  if (unknown !== undefined) throw new Error(`${verb} takes no ${unknown}`);
  return command;
}
