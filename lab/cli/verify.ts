import { type Inspection, inspectDirectory } from '../../src/storage/offline/inspection.ts';
import { type ExitCode, exitCode } from './exit-code.ts';
import { formatVerification } from './inspection-account.ts';
import type { Machine } from './machine.ts';
import { type Read, readingCommand } from './reading-command.ts';

export interface VerifyArguments {
  readonly directories: readonly string[];
  readonly json: boolean;
}

/** `kontiki verify`: every byte of directories of stopped replicas is checked. */
export async function verifyCommand(written: VerifyArguments, machine: Machine): Promise<ExitCode> {
  const { directories, json } = written;
  return readingCommand(directories, machine, {
    read: (directory, options) => inspectDirectory(directory, { ...options, decode: true }),
    told: (read) => {
      if (read.refused === null && !json) machine.print(formatVerification(read.value));
    },
    finished: (reads) => {
      if (json) machine.print(`${JSON.stringify({ directories: reads.map(plain) }, null, 2)}\n`);
      const isDamaged = reads.some((read) => read.refused === null && damageIn(read.value));
      return isDamaged ? exitCode.damaged : exitCode.ok;
    },
  });
}

function plain(read: Read<Inspection>): unknown {
  if (read.refused === null) return { verdict: damageIn(read.value) ? 'damaged' : 'clean', ...read.value };
  const { reason, message } = read.refused;
  return { verdict: 'refused', directory: read.directory, reason, message };
}

function damageIn({ findings }: Inspection): boolean {
  return findings.some(({ kind }) => kind === 'damage');
}
