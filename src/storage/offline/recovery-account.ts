import { crc32 } from '../../doors/checksum.ts';
import { isVoter } from '../../raft/configuration.ts';
import type { ClusterId, GroupId, MemberId } from '../../raft/identity.ts';
import type { LogPosition } from '../contract.ts';
import { RecoveryRefused } from '../errors.ts';
import { chooseSurvivor } from './choose-survivor.ts';
import { lastOf } from './held-log.ts';
import type { NewMember } from './new-members.ts';
import type { Held, Survivor } from './survivor.ts';

/** A survivor that can be recovered from. */
export type SoundSurvivor = Survivor & {
  readonly identity: NonNullable<Survivor['identity']>;
  readonly held: Held;
};

/** What a recovery would do, and what may be lost by it. */
export interface RecoveryAccount {
  readonly clusterId: ClusterId;
  readonly group: GroupId;
  /** In the order in which they were given. */
  readonly survivors: readonly Survivor[];
  /** The one whose log the new cluster begins with. */
  readonly chosen: SoundSurvivor;
  /** The last entry that the new cluster holds. */
  readonly last: LogPosition;
  /** What others hold and the chosen one does not: it is not in the new cluster. */
  readonly leftOut: readonly { readonly by: Survivor; readonly from: number; readonly to: LogPosition }[];
  /** By the chosen one's configuration: these survivors could go on by themselves, and nothing needs to be lost. */
  readonly isQuorum: boolean;
  /** How many of its voters the undamaged survivors are. */
  readonly voters: { readonly all: number; readonly surviving: number };
  /** Says that this very account was read. It is another one for other survivors or members. */
  readonly phrase: string;
}

/** @throws RecoveryRefused (`damaged`, `several-groups`, `nothing-to-recover`). */
export function accountOf(
  clusterId: ClusterId,
  survivors: readonly Survivor[],
  members: readonly NewMember[],
): RecoveryAccount {
  const sound = survivors.filter(isSound);
  if (sound.length === 0) {
    throw new RecoveryRefused(
      'damaged',
      `every survivor is damaged:\n${survivors.map(({ damage }) => `- ${damage}`).join('\n')}`,
    );
  }
  const { chosen: position, leftOut } = chooseSurvivor(sound.map(({ held }) => held.log));
  const chosen = sound[position];
  if (chosen === undefined) throw new Error(`there is no survivor ${position}`);
  refuseOtherGroups(sound);
  const last = lastOf(chosen.held.log);
  if (last.index === 0) {
    throw new RecoveryRefused(
      'nothing-to-recover',
      'the survivors hold no entry: found a new cluster instead',
    );
  }
  const account = {
    clusterId,
    group: chosen.held.group,
    survivors,
    chosen,
    last,
    leftOut: leftOut.flatMap(({ by, ...entries }) => {
      const survivor = sound[by];
      return survivor === undefined ? [] : [{ by: survivor, ...entries }];
    }),
    ...quorumAmong(
      sound.filter(({ damage }) => damage === null),
      chosen.held,
    ),
  };
  const checksum = crc32(Buffer.from(JSON.stringify([account, members]), 'utf8'));
  const phrase = `lose-what-${chosen.identity.id}-lacks-${checksum.toString(16).padStart(8, '0')}`;
  return { ...account, phrase };
}

function isSound(survivor: Survivor): survivor is SoundSurvivor {
  return survivor.held !== null && survivor.identity !== null;
}

function refuseOtherGroups(survivors: readonly SoundSurvivor[]): void {
  const [first] = survivors;
  const other = survivors.find(({ held }) => held.group !== first?.held.group);
  if (first === undefined || other === undefined) return;
  throw new RecoveryRefused(
    'several-groups',
    `${first.directory} holds group ${first.held.group}, and ${other.directory} group ${other.held.group}; ` +
      'give directories of one group',
  );
}

function quorumAmong(
  survivors: readonly SoundSurvivor[],
  { configuration }: Held,
): Pick<RecoveryAccount, 'isQuorum' | 'voters'> {
  const isThere = (member: MemberId): boolean =>
    survivors.some(
      ({ identity }) => identity.id === member.id && identity.incarnation === member.incarnation,
    );
  const { voters, outgoing } = configuration;
  const isMajority = (set: readonly MemberId[]): boolean => 2 * set.filter(isThere).length > set.length;
  return {
    isQuorum: isMajority(voters) && (outgoing.length === 0 || isMajority(outgoing)),
    voters: {
      all: voters.length,
      surviving: survivors.filter(({ identity }) => isVoter({ ...configuration, outgoing: [] }, identity))
        .length,
    },
  };
}
