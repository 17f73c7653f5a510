import type { RaftOptions } from '../../src/raft/options.ts';
import { defaultRaftOptions } from '../../src/raft/options.ts';

/** One command of a trace, taken apart: `change S1 add=S4,S5` has the verb, one plain word, one named list. */
export interface Words {
  readonly verb: string;
  readonly plain: readonly string[];
  readonly named: ReadonlyMap<string, readonly string[]>;
}

export function wordsOf(command: string): Words {
  const [verb = '', ...rest] = command.split(/\s+/);
  const plain: string[] = [];
  const named = new Map<string, readonly string[]>();
  for (const word of rest) {
    const at = word.indexOf('=');
    if (at < 0) plain.push(word);
    else if (named.has(word.slice(0, at))) throw new Error(`${word.slice(0, at)} is given twice`);
    else named.set(word.slice(0, at), word.slice(at + 1).split(','));
  }
  return { verb, plain, named };
}

/** `S1->S3`, `S1->S3:AppendEntries`, and with `#1` only the oldest of these. */
export interface Link {
  readonly from: string;
  readonly to: string;
  readonly kind: string | null;
  readonly count: number;
}

export function linkOf(word: string): Link {
  const parts = /^([^\s:]+)->([^\s:#]+)(?::(\w+))?(?:#(\d+))?$/.exec(word);
  if (parts === null) throw new Error(`${word} is no link; write S1->S2 or S1->S2:AppendEntries`);
  return {
    from: parts[1] ?? '',
    to: parts[2] ?? '',
    kind: parts[3] ?? null,
    count: Number(parts[4] ?? Number.POSITIVE_INFINITY),
  };
}

export function wholeNumber(word: string | undefined): number {
  if (word === undefined || !/^\d+$/.test(word)) throw new Error(`${word ?? 'nothing'} is no whole number`);
  return Number(word);
}

export function optionsOf(named: ReadonlyMap<string, readonly string[]>): Partial<RaftOptions> {
  const options: Record<string, number | boolean | string> = {};
  for (const [name, [value = '']] of named) {
    if (!(name in defaultRaftOptions)) throw new Error(`there is no option ${name}`);
    const byDefault = defaultRaftOptions[name as keyof RaftOptions];
    if (byDefault === null) options[name] = Number(value);
    else if (typeof byDefault === 'number') options[name] = wholeNumber(value);
    else if (typeof byDefault === 'string') options[name] = value;
    else if (value === 'on' || value === 'off') options[name] = value === 'on';
    else throw new Error(`${name} is on or off, not ${value}`);
  }
  return options;
}
