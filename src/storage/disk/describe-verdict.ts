import type { LogHole, LogPosition } from '../contract.ts';
import type { NumberRange, OpenVerdict, RefusedVerdict } from './recover.ts';

/** What is wrong, for an operator. */
export function describeVerdict(verdict: Exclude<OpenVerdict, { kind: 'clean' }> | RefusedVerdict): string {
  switch (verdict.kind) {
    case 'holes':
      return describeHoles(verdict.holes, verdict);
    case 'tail-lost':
      return (
        `missing or changed at the end of the log: ${describeRange(verdict.lost)}, after index ` +
        `${verdict.lastIndex}. Why: ${verdict.why}`
      );
    case 'hard-state-lost':
      return `term and vote are lost: ${verdict.why}`;
    case 'floor-lost':
      return verdict.why;
  }
}

/** @param missing - blocks that are not there, as far as they are known. */
export function describeHoles(
  holes: readonly LogHole[],
  { end, missing }: { readonly end: LogPosition; readonly missing: readonly NumberRange[] },
): string {
  const entries = holes.map(({ from, to }) => `entries ${from} to ${to}`).join(', ');
  const blocks = missing.length === 0 ? '' : ` (${missing.map(describeRange).join(', ')})`;
  return `missing or changed in the middle of the log: ${entries}${blocks}. It goes on to index ${end.index}`;
}

/** The snapshot that a log begins after is gone. */
export function describeLostSnapshot({ index }: Pick<LogPosition, 'index'>): string {
  return `the log begins after entry ${index}, and there is no whole snapshot of that entry or a later one`;
}

function describeRange({ from, to }: NumberRange): string {
  return from === to ? `block ${from}` : `blocks ${from} to ${to}`;
}
