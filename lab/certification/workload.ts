/** What a workload is made of. Each step is one thing that a replica does with its storage, or that befalls it. */
export const steps = [
  'append',
  'append to all',
  'append a long entry',
  'vote',
  'replace',
  'compact',
  'install a snapshot',
  'adopt a cluster',
  'wait',
  'reopen',
  'kill',
  'cut the power',
] as const;

export type Step = (typeof steps)[number];
export type Workload = readonly Step[];

export function describeWorkload(workload: Workload): string {
  return ['open', ...workload].join(', ');
}

/** Whether the step does anything after these: else the workload without it shows as much. */
export function isUseful(before: Workload, step: Step): boolean {
  const last = before.at(-1);
  const writes = before.some(
    (one) => one.startsWith('append') || one === 'replace' || one === 'cut the power',
  );
  switch (step) {
    case 'adopt a cluster':
      return !before.includes(step);
    case 'replace':
    case 'compact':
      return writes;
    case 'wait':
      return last !== undefined && last !== 'wait' && last !== 'reopen';
    default:
      return true;
  }
}
