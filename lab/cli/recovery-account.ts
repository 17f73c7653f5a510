import type { RecoveryAccount } from '../../src/storage/index.ts';
import { formatCount } from '../report/quantities.ts';

type Survivor = RecoveryAccount['survivors'][number];

/** What a recovery would do, for whoever has to answer for it. */
export function formatRecoveryAccount(account: RecoveryAccount): string {
  return [
    `Recovery of cluster ${account.clusterId}, group ${account.group}.`,
    section('The survivors', account.survivors.flatMap(formatSurvivor)),
    section('The choice', formatChoice(account)),
    section('What may be lost', formatLoss(account)),
    section('What may come alive', formatComing(account)),
  ].join('\n\n');
}

function section(title: string, lines: readonly string[]): string {
  return `${title}\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

function formatSurvivor({ directory, identity, held, damage }: Survivor): string[] {
  const who =
    identity === null
      ? 'of an unknown replica'
      : `${identity.id}, incarnation ${identity.incarnation}, boot ${identity.boot}`;
  if (held === null) return [`${directory}: ${who}`, `  damaged, and left out: ${damage}`];
  const { hardState, log, snapshot } = held;
  const lost =
    damage === null
      ? []
      : [`  only its log can be used, and it may lack what it had acknowledged: ${damage}`];
  const vote = hardState.votedFor === null ? 'no vote' : `voted for ${hardState.votedFor.id}`;
  const last = log.runs.at(-1)?.term ?? log.floor.term;
  return [
    `${directory}: ${who}`,
    `  term ${hardState.term}, ${vote}; log from ${log.floor.index + 1} to ${log.lastIndex}, its last entry of term ${last}`,
    snapshot === null
      ? '  no snapshot'
      : `  snapshot of entry ${snapshot.index} (term ${snapshot.term}), ${formatCount(snapshot.size)} bytes`,
    ...lost,
  ];
}

function formatChoice({ chosen, last, leftOut, voters, isQuorum }: RecoveryAccount): string[] {
  const lines = [
    `${chosen.directory}: of the logs that hold what every snapshot proves committed, its last entry,`,
    `${last.index} of term ${last.term}, is the latest, by term and then by index.`,
    leftOut.length === 0
      ? 'It holds everything that the other undamaged survivors hold.'
      : 'It does not hold everything that the others hold; see below.',
    `Of the ${formatCount(voters.all)} voters it lists, ${formatCount(voters.surviving)} survive here undamaged.`,
  ];
  if (!isQuorum) return lines;
  return [
    ...lines,
    'THAT IS A MAJORITY: started as they are, they go on as the same cluster, and nothing is lost. Recover only if',
    'that cannot be.',
  ];
}

function formatLoss({ chosen, last, leftOut, survivors, isQuorum }: RecoveryAccount): string[] {
  const lines: string[] = [];
  if (isQuorum) lines.push('- Nothing that was acknowledged, as these are a majority.');
  else {
    lines.push(
      '- What lost members acknowledged and nobody here holds. How much that is cannot be counted. To estimate it,',
      `  compare ${last.index} with the last raft_commit_index that was seen of any member, and ask clients what was`,
      '  acknowledged to them last.',
    );
  }
  for (const { by, from, to } of leftOut) {
    lines.push(
      `- Entries ${from} to ${to.index} (last of term ${to.term}) of ${by.directory}, in whose place the chosen log has`,
      '  others or none. Either may have been acknowledged by lost members; nothing here tells which. To keep these',
      `  instead, recover from ${by.directory} alone.`,
    );
  }
  for (const { directory } of survivors.filter(({ held }) => held === null)) {
    lines.push(`- What ${directory} alone holds: it is damaged. Keep it.`);
  }
  lines.push(`- Nothing in the directories: they stay as they are. Keep ${chosen.directory} and the others.`);
  return lines;
}

function formatComing({ chosen, last }: RecoveryAccount): string[] {
  const proven = chosen.held.snapshot?.index ?? 0;
  const count = last.index - proven;
  if (count === 0) return ['- Nothing: all that is kept is in the snapshot, and was committed.'];
  return [
    `- ${formatCount(count)} entries after entry ${proven}, up to ${last.index}. Most of them were committed, but the last`,
    '  ones perhaps never: they are now, so a proposal that ended as OutcomeUnknown may be applied after all.',
  ];
}
