import type { CleanVerdict, Hole, NumberRange, Verdict } from './recover.ts';

/** What is wrong, for an operator. */
export function describeVerdict(verdict: Exclude<Verdict, CleanVerdict>): string {
  switch (verdict.kind) {
    case 'holes':
      return verdict.why ?? describeHoles(verdict.holes, verdict.end);
    case 'tail-lost':
      return (
        `missing or changed at the end of the log: ${describeRange(verdict.lost)}, after index ` +
        `${verdict.after.index}. Why: ${verdict.why}`
      );
    case 'hard-state-lost':
      return `term and vote are lost: ${verdict.why}`;
  }
}

function describeHoles(
  holes: readonly Hole[],
  end: { readonly number: number; readonly index: number },
): string {
  const missing = holes.map(({ entries, ...range }) => {
    const held = entries === null ? 'no entries' : `entries ${entries.from} to ${entries.to}`;
    return `${describeRange(range)} (${held})`;
  });
  return (
    `missing or changed in the middle of the log: ${missing.join(', ')}. ` +
    `It goes on to block ${end.number}, index ${end.index}`
  );
}

function describeRange({ from, to }: NumberRange): string {
  return from === to ? `block ${from}` : `blocks ${from} to ${to}`;
}
