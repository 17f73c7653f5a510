import { InspectionRefused } from '../../src/storage/errors.ts';
import { type EntryRange, entriesIn } from '../../src/storage/offline/found-entries.ts';
import { inspectDirectory } from '../../src/storage/offline/inspection.ts';
import {
  type NamelessDirectory,
  type StoppedDirectory,
  withStoppedDirectory,
} from '../../src/storage/offline/stopped-directory.ts';
import { formatFoundEntry } from './entry-line.ts';
import { type ExitCode, exitCode } from './exit-code.ts';
import { formatInspection } from './inspection-account.ts';
import type { Machine } from './machine.ts';
import { readingCommand } from './reading-command.ts';

export interface InspectArguments {
  readonly directories: readonly string[];
  readonly entries?: string;
  readonly group?: string;
}

/** `kontiki inspect`: what is in directories of stopped replicas, or entries of their logs. */
export async function inspectCommand(written: InspectArguments, machine: Machine): Promise<ExitCode> {
  const { directories, entries, group } = written;
  if (entries === undefined) {
    if (group !== undefined) return refuse(machine, '--group: found without --entries, expected both');
    return readingCommand(directories, machine, {
      read: (directory, options) => inspectDirectory(directory, { ...options, decode: false }),
      told: (read) => {
        if (read.refused === null) machine.print(formatInspection(read.value));
      },
      finished: () => exitCode.ok,
    });
  }
  const range = readRange(entries);
  if (typeof range === 'string') return refuse(machine, range);
  return readingCommand(directories, machine, {
    read: (directory, options) =>
      withStoppedDirectory(directory, options, (found) => printEntries(found, { range, group, machine })),
    finished: () => exitCode.ok,
  });
}

/** Prints them as they are read: they may be many. */
async function printEntries(
  found: StoppedDirectory | NamelessDirectory,
  { range, group, machine }: { range: EntryRange; group: string | undefined; machine: Machine },
): Promise<void> {
  const { directory } = found;
  if (found.identity === null) throw new InspectionRefused('unreadable', `${directory}: ${found.damage}`);
  const of = group ?? onlyGroup(found);
  machine.print(`${directory}, group ${of}\n`);
  for await (const entry of entriesIn(found, of, range)) machine.print(`${formatFoundEntry(entry)}\n`);
}

function onlyGroup({ directory, groups }: StoppedDirectory): string {
  const [first, ...others] = groups;
  if (first !== undefined && others.length === 0) return first;
  const which =
    first === undefined ? 'no group yet' : `the groups ${groups.join(', ')}: name one with --group`;
  throw new InspectionRefused('not-a-storage', `${directory} holds ${which}`);
}

/** Text says what is wrong. */
function readRange(text: string): EntryRange | string {
  const [, from, to] = /^(\d{1,15})\.\.(\d{1,15})$/.exec(text) ?? [];
  const range = { from: Number(from), to: Number(to) };
  if (range.from >= 1 && range.from <= range.to) return range;
  return `--entries: found ${JSON.stringify(text)}, expected <from>..<to> with 1 or more as <from>, such as 100..120`;
}

function refuse(machine: Machine, mistake: string): ExitCode {
  machine.complain(`${mistake}\nNothing was read. \`kontiki inspect --help\` shows how.\n`);
  return exitCode.badInput;
}
