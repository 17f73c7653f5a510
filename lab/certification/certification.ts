import type { DamageKind } from './damages.ts';
import type { Verdict } from './judge.ts';

/** What certifying a storage came to. */
export interface Certification {
  /** Each starts with a new storage and grows step by step. */
  readonly workloads: number;
  /** Different ones opened: some states are the same disk at another moment. */
  readonly disks: number;
  readonly crashes: CrashCounts;
  readonly damages: DamageCounts;
  /** null: all that was tried was judged right. */
  readonly failure: CertificationFailure | null;
}

export interface CrashCounts {
  /** Each as a power cut may leave the disk at some moment. All of them must be clean. */
  readonly states: number;
  /** Places in journals at which the power was cut. */
  readonly moments: number;
  /** Those of which every state was tried; of the others a sample. */
  readonly completeMoments: number;
}

export interface DamageCounts {
  readonly states: number;
  /** Of these, damage that opening did not see, but reading did, and the next opening after it. */
  readonly foundByReading: number;
  /** By kind of damage, what the storage said of it. */
  readonly verdicts: Readonly<Partial<Record<DamageKind, Readonly<Partial<Record<Verdict, number>>>>>>;
  /**
   * By file, how often damage in it was told though the storage is whole when all of it is gone. Safe, since what was
   * changed may have been newer than anything else tells; but it takes a replica out of service for nothing.
   */
  readonly inVain: Readonly<Record<string, number>>;
}

export interface CertificationFailure {
  /** The steps that show it, as few as were found. */
  readonly workload: string;
  /** What befell the disk, and when. */
  readonly struck: string;
  /** What the disk was told last before, one a line. */
  readonly journal: readonly string[];
  readonly expected: string;
  readonly found: string;
}

/** For people, several lines, without a newline at the end. */
export function formatCertification({ workloads, disks, crashes, damages, failure }: Certification): string {
  const { states, moments, completeMoments } = crashes;
  const lines = [
    `${workloads} workloads, ${disks} different disks`,
    `${states} crash states at ${moments} moments, every one there is at ${completeMoments} of them`,
    `${damages.states} damaged states, ${damages.foundByReading} of which opened at first, and told when they were read`,
    ...Object.entries(damages.verdicts).map(([kind, verdicts]) => {
      const counts = Object.entries(verdicts).map(([verdict, count]) => `${count} ${verdict}`);
      return `  ${kind}: ${counts.join(', ')}`;
    }),
    ...Object.entries(damages.inVain).map(([path, count]) => `  in vain, in ${path}: ${count}`),
  ];
  if (failure === null) return ['every state was judged right', ...lines].join('\n');
  return [
    'FAILED',
    `workload: ${failure.workload}`,
    `struck:   ${failure.struck}`,
    ...failure.journal.map((record, place) => `${place === 0 ? 'journal:' : '        '}  ${record}`),
    `expected: ${failure.expected}`,
    `found:    ${failure.found}`,
    ...lines,
  ].join('\n');
}
