import { recoverCluster } from '../../src/storage/index.ts';
import { type ExitCode, exitCode } from './exit-code.ts';
import type { Machine } from './machine.ts';
import { readMembers } from './member-arguments.ts';
import { formatNewCluster } from './new-cluster-account.ts';
import { offlineCommand } from './offline-command.ts';
import { formatRecoveryAccount } from './recovery-account.ts';

export interface RecoverArguments {
  readonly directories: readonly string[];
  readonly out: string;
  readonly member: readonly string[];
  readonly confirm?: string;
}

/** `kontiki recover`: an account of what may be lost; once that is confirmed, a new cluster of the survivors. */
export async function recoverCommand(written: RecoverArguments, machine: Machine): Promise<ExitCode> {
  const { directories: survivors, out, confirm } = written;
  const read = readMembers(written.member);
  if ('mistakes' in read) {
    machine.complain(
      `${read.mistakes.join('\n')}\nNothing was made. \`kontiki recover --help\` shows how.\n`,
    );
    return exitCode.badInput;
  }
  return offlineCommand('recover', machine, async (signal) => {
    const { members } = read;
    const confirmed = confirm === undefined ? {} : { confirm };
    const { account, cluster } = await recoverCluster({ survivors, out, members, signal, ...confirmed });
    machine.print(formatRecoveryAccount(account));
    if (cluster === null) {
      const other = confirm === undefined ? '' : `--confirm ${confirm} is not the phrase of this account. `;
      machine.print(
        `\n${other}Nothing was changed. To accept this and go on, say the same again with\n  --confirm ${account.phrase}\n`,
      );
      return exitCode.notConfirmed;
    }
    const { backend, shards } = account.chosen.identity;
    machine.print(`\n${formatNewCluster(cluster, { out, backend, shards })}`);
    return exitCode.ok;
  });
}
