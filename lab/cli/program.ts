import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { type ExitCode, exitCode } from './exit-code.ts';
import type { Machine } from './machine.ts';
import type { Runner } from './run.ts';

/**
 * The whole of `kontiki`: reads the arguments (without the program's own name), does what they say, and
 * returns the exit code. Commands are loaded only when asked for, so that `--help` costs little.
 */
export async function runProgram(
  written: readonly string[],
  machine: Machine,
  loadRunner: () => Promise<Runner>,
): Promise<ExitCode> {
  let code: ExitCode = exitCode.ok;
  const program = new Command('kontiki')
    .description(
      'Puts a Raft cluster through faults, and judges what happened; reads the directories of stopped replicas; and ' +
        'makes a new cluster of what is left of one that cannot serve.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .showHelpAfterError('`kontiki --help` shows how.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => machine.print(text),
      writeErr: (text) => machine.complain(text),
    });

  program
    .command('run')
    .description('Run scenarios, each with one or more seeds.')
    .usage('<files...> [options]')
    .argument('[files...]', 'scenario files (YAML)')
    .option('--seed <n>', 'the first seed (default: 1); the same seed gives the same run')
    .option('--runs <n>', 'how many consecutive seeds to run (default: 1)')
    .option('--json <file>', 'also write the results as JSON')
    .helpOption('-h, --help', 'show this help')
    .addHelpText(
      'after',
      '\nExit code: 0 all held, 1 violation, 2 bad input, 3 the lab failed, 130 interrupted.',
    )
    // Unknown options come along as words, so that they are reported together with all other mistakes.
    .allowUnknownOption()
    .showHelpAfterError('`kontiki run --help` shows how.')
    .exitOverride()
    .action(async (words: string[], options: { seed?: string; runs?: string; json?: string }) => {
      const { runCommand } = await import('./run.ts');
      const { seed, runs, json } = options;
      const lazily: Runner = async (...arguments_) => (await loadRunner())(...arguments_);
      code = await runCommand({ words, seed, runs, json }, machine, lazily);
    });

  program
    .command('schema')
    .description('Print the JSON Schema of scenario files.')
    .helpOption('-h, --help', 'show this help')
    .exitOverride()
    .action(async () => {
      const { schemaCommand } = await import('./schema.ts');
      code = schemaCommand(machine);
    });

  program
    .command('inspect')
    .description("Show what is in stopped replicas' directories, and what is wrong with it.")
    .usage('<dir...> [--entries <from..to> [--group <name>]]')
    .argument('<directories...>', 'directories of stopped replicas; no byte of them is changed')
    .option('--entries <from..to>', 'show these entries instead, both ends inclusive')
    .option('--group <name>', 'whose entries (default: that of the only group)')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', INSPECT_HELP)
    .showHelpAfterError('`kontiki inspect --help` shows how.')
    .exitOverride()
    .action(async (directories: string[], options: { entries?: string; group?: string }) => {
      const { inspectCommand } = await import('./inspect.ts');
      code = await inspectCommand({ directories, ...options }, machine);
    });

  program
    .command('verify')
    .description("Check every byte of stopped replicas' directories.")
    .usage('<dir...> [--json]')
    .argument('<directories...>', 'directories of stopped replicas; no byte of them is changed')
    .option('--json', 'print what was found as JSON')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', VERIFY_HELP)
    .showHelpAfterError('`kontiki verify --help` shows how.')
    .exitOverride()
    .action(async (directories: string[], options: { json?: true }) => {
      const { verifyCommand } = await import('./verify.ts');
      code = await verifyCommand({ directories, json: options.json === true }, machine);
    });

  program
    .command('restore')
    .description('Make a new cluster from a backup.')
    .usage('<backup> --out <dir> --member <id=host:port>... [options]')
    .argument('<backup>', 'the file that node.backup() was written to')
    .requiredOption('--out <dir>', "where the members' directories are made: <dir>/<id>; not there yet")
    .requiredOption('--member <id=host:port>', 'a member of the new cluster; once for each', listed)
    .option('--backend <name>', 'how the members will keep their logs: files or level', 'files')
    .option('--shards <n>', 'how many logs the members will spread groups over', '1')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', RESTORE_HELP)
    .showHelpAfterError('`kontiki restore --help` shows how.')
    .exitOverride()
    .action(
      async (backup: string, options: { out: string; member: string[]; backend: string; shards: string }) => {
        const { restoreCommand } = await import('./restore.ts');
        code = await restoreCommand({ backup, ...options }, machine);
      },
    );

  program
    .command('recover')
    .description(
      'Make a new cluster of the survivors of one that lost its quorum for good. May lose entries.',
    )
    .usage('<surviving-dir...> --out <dir> --member <id=host:port>... [--confirm <phrase>]')
    .argument(
      '<directories...>',
      'directories of stopped replicas; they are only read, but for their folder lock',
    )
    .requiredOption('--out <dir>', "where the members' directories are made: <dir>/<id>; not there yet")
    .requiredOption('--member <id=host:port>', 'a member of the new cluster; once for each', listed)
    .option('--confirm <phrase>', 'the phrase that the account ends with; without it nothing is changed')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', RECOVER_HELP)
    .showHelpAfterError('`kontiki recover --help` shows how.')
    .exitOverride()
    .action(async (directories: string[], options: { out: string; member: string[]; confirm?: string }) => {
      const { recoverCommand } = await import('./recover.ts');
      code = await recoverCommand({ directories, ...options }, machine);
    });

  try {
    if (written.length === 0) {
      program.outputHelp({ error: true });
      return exitCode.badInput;
    }
    await program.parseAsync([...written], { from: 'user' });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCode.ok : exitCode.badInput;
  }
}

/** Options that are given more than once. */
function listed(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

const INSPECT_HELP = `
For each directory: whose it is; for each group term and vote, floor, log with its terms, blocks with their codecs, and
snapshots; then what is damaged, with shard, block and entries. With --entries the entries themselves: a command as
the value that the default codec packed, or as JSON, or else as hex; long ones are cut short.

  kontiki inspect data/n1 data/n2
  kontiki inspect data/n1 --entries 100..120 --group orders

The replicas must be stopped. A LevelDB (backend level) is read from a copy, made in the temporary folder: TMPDIR
says where that is.

Exit code: 0 shown, damaged or not (\`kontiki verify\` tells by its code), 2 a directory cannot be inspected, 3 the
disk failed, 130 interrupted.`;

const VERIFY_HELP = `
Reads everything, and believes nothing: header, checksum and content of every block, both copies of term and vote, the
mark of what was durable, floors, and the digests of snapshots; then judges as opening the storage would, but shows
holes that a snapshot makes up for as well. What a crash leaves is no damage. A damaged replica is repaired or replaced
from the others; keep a copy of its directory.

  kontiki verify data/n1 data/n2
  kontiki verify backup/* --json > verified.json

The replicas must be stopped. A LevelDB (backend level) is read from a copy, made in the temporary folder: TMPDIR
says where that is.

Exit code: 0 clean, 1 damage found, 2 a directory cannot be checked (whatever the others are), 3 the disk failed,
130 interrupted.`;

const RESTORE_HELP = `
Verifies the whole backup, then writes one directory for each member: all of them, or nothing.
The new cluster has an id of its own. Start each replica on its directory as ever.

  kontiki restore monday.backup --out data --member n1=10.0.0.1:7001 --member n2=10.0.0.2:7001

Exit code: 0 done, 2 refused, 3 the disk failed, 130 interrupted; nothing is left unless it is 0.`;

const RECOVER_HELP = `
For a cluster whose majority is gone and does not come back. If a majority can be started, start it instead.
First without --confirm: prints what each survivor holds, which one is chosen and why, and what may be lost or
may come alive. Then with the phrase that this account ends with. Directories appear together, or not at all;
members of the old cluster that come back later are refused by the new one.

  kontiki recover backup/n1 backup/n3 --out data --member n1=10.0.0.1:7001 --member n2=10.0.0.2:7001

Exit code: 0 done, 2 refused, 3 the disk failed, 4 not confirmed, 130 interrupted; nothing is left unless it is 0.`;

function version(): string {
  const found: unknown = createRequire(import.meta.url)('kontiki/package.json');
  return typeof found === 'object' && found !== null && 'version' in found
    ? String(found.version)
    : 'unknown';
}
