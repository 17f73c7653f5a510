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
    .description('Puts a Raft cluster through faults, and judges what happened.')
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

function version(): string {
  const found: unknown = createRequire(import.meta.url)('kontiki/package.json');
  return typeof found === 'object' && found !== null && 'version' in found
    ? String(found.version)
    : 'unknown';
}
