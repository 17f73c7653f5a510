import type { CleanVerdict, Hole, NumberRange, Verdict } from './recover.ts';

/** What is wrong, for an operator. */
export function describeVerdict(verdict: Exclude<Verdict, CleanVerdict>): string {
  switch (verdict.kind) {
    case 'holes': {
      const { holes, end, why } = verdict;
      const missing = holes.map(describeHole).join(' and ');
      const told = `${missing} missing or changed, though the log goes on to block ${end.number}, index ${end.index}`;
      return holes.length === 0 && why !== null
        ? why
        : [why, told].filter((text) => text !== null).join('; ');
    }
    case 'tail-lost':
      return (
        `${describeRange(verdict.lost)} at the end of the log missing or changed, which held entries from ` +
        `index ${verdict.after.index + 1} on: ${verdict.why}`
      );
    case 'hard-state-lost':
      return `term and vote are lost: ${verdict.why}`;
  }
}

function describeHole({ entries, ...range }: Hole): string {
  const [subject, verb] = describeRange(range).split(/ (?=is$|are$)/);
  const held = entries === null ? '' : ` (entries ${entries.from} to ${entries.to})`;
  return `${subject}${held} ${verb}`;
}

function describeRange({ from, to }: NumberRange): string {
  return from === to ? `block ${from} is` : `blocks ${from} to ${to} are`;
}
