import { restoreBackup } from '../../src/storage/index.ts';
import { formatCount } from '../report/quantities.ts';
import { type ExitCode, exitCode } from './exit-code.ts';
import type { Machine } from './machine.ts';
import { readMembers } from './member-arguments.ts';
import { formatNewCluster } from './new-cluster-account.ts';
import { offlineCommand } from './offline-command.ts';

export interface RestoreArguments {
  readonly backup: string;
  readonly out: string;
  readonly member: readonly string[];
  readonly backend: string;
  readonly shards: string;
}

/** `kontiki restore`: a new cluster from a backup. */
export async function restoreCommand(written: RestoreArguments, machine: Machine): Promise<ExitCode> {
  const { backup, out, backend, shards } = written;
  const read = readMembers(written.member);
  const mistakes = 'mistakes' in read ? [...read.mistakes] : [];
  if (backend !== 'files' && backend !== 'level') {
    mistakes.push(`--backend: found ${JSON.stringify(backend)}, expected files or level`);
  }
  if (!/^\d+$/.test(shards)) mistakes.push(`--shards: found ${JSON.stringify(shards)}, expected 1 to 64`);
  if ('mistakes' in read || mistakes.length > 0) {
    machine.complain(`${mistakes.join('\n')}\nNothing was made. \`kontiki restore --help\` shows how.\n`);
    return exitCode.badInput;
  }
  const settings = { backend: backend === 'level' ? 'level' : 'files', shards: Number(shards) } as const;
  return offlineCommand('restore', machine, async (signal) => {
    const { members } = read;
    const cluster = await restoreBackup({ backup, out, members, ...settings, signal });
    const { clusterId, index, term, size } = cluster.backup;
    machine.print(
      `Restored the state after entry ${index} (term ${term}) of cluster ${clusterId}, ${formatCount(size)} bytes.\n` +
        formatNewCluster(cluster, { out, ...settings }),
    );
    return exitCode.ok;
  });
}
