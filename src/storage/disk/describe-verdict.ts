import type { CleanVerdict, NumberRange, Verdict } from './recover.ts';

/** What is wrong, for an operator. */
export function describeVerdict(verdict: Exclude<Verdict, CleanVerdict>): string {
  switch (verdict.kind) {
    case 'holes':
      return (
        `${verdict.holes.map(describeRange).join(' and ')} missing or changed, though the log goes on to ` +
        `block ${verdict.end.number}, index ${verdict.end.index}`
      );
    case 'tail-lost':
      return `${describeRange(verdict.lost)} at the end of the log missing or changed: ${verdict.why}`;
    case 'hard-state-lost':
      return `term and vote are lost: ${verdict.why}`;
  }
}

function describeRange({ from, to }: NumberRange): string {
  return from === to ? `block ${from} is` : `blocks ${from} to ${to} are`;
}
