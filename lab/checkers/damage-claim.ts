import type { Index } from '../../src/raft/entry.ts';
import type { LogDamage, RecoveredLog } from '../../src/storage/contract.ts';
import { LogTerms } from './log-terms.ts';

/**
 * What is wrong with what a damaged log says of itself, held against the log that it was; null when all of it is true.
 * Everything that was there must be held, before the first hole, or lie from there on up to an end that is told
 * rightly, or not known.
 *
 * A log whose snapshot may be lost begins before its floor, where an older one ends or at nothing.
 *
 * A lost end may have been the one that cut off what stood there before: then that shows again, as it once was.
 */
export function falseClaim(
  recovered: RecoveredLog & { readonly damage: LogDamage },
  promised: LogTerms,
  { former, mayLackSnapshot }: { readonly former: readonly LogTerms[]; readonly mayLackSnapshot: boolean },
): string | null {
  const { damage } = recovered;
  const found = new LogTerms(recovered);
  const isEarlier = mayLackSnapshot && found.floorIndex < promised.floorIndex;
  if (!isEarlier && (found.floorIndex !== promised.floorIndex || found.floorTerm !== promised.floorTerm)) {
    return `a log that begins after ${found.floorIndex}, and it began after ${promised.floorIndex}`;
  }
  if (damage.end === null) {
    if (damage.holes.length > 0) return 'holes in a log of which the end is missing';
    return [promised, ...former].some((log) => isBeginningOf(found, log))
      ? null
      : whereItDiffers(found, promised);
  }
  if (!isBeginningOf(found, promised)) return whereItDiffers(found, promised);
  const { index, term } = damage.end;
  if (index !== promised.lastIndex || term !== promised.lastTerm) {
    return `an end at entry ${index} of term ${term}, and it was entry ${promised.lastIndex} of term ${promised.lastTerm}`;
  }
  return falseHole(damage, found.lastIndex, promised);
}

function falseHole({ holes }: LogDamage, heldThrough: Index, promised: LogTerms): string | null {
  if (holes[0]?.from !== heldThrough + 1) {
    const first = holes[0] === undefined ? 'no hole' : `a hole from ${holes[0].from} on`;
    return `${first} in a log that is held up to ${heldThrough} and no further`;
  }
  let after = heldThrough;
  for (const { from, to, anchor } of holes) {
    if (from <= after || to < from || to > promised.lastIndex) {
      return `a hole from ${from} to ${to} after entry ${after} of ${promised.lastIndex}`;
    }
    const anchored = `a hole from ${from} to ${to} with entry ${anchor.index} of term ${anchor.term} for its anchor`;
    if (anchor.index !== to && anchor.index !== to + 1) return anchored;
    const term = promised.termAt(anchor.index);
    if (anchor.index >= promised.floorIndex && !promised.mayHold(anchor.index, anchor.term)) {
      return `${anchored}, and ${term === null ? 'there was none' : `that was one of term ${term}`}`;
    }
    after = to;
  }
  return null;
}

function isBeginningOf(found: LogTerms, log: LogTerms): boolean {
  return found.lastIndex <= Math.max(log.lastIndex, found.floorIndex) && differsAt(found, log) === null;
}

function differsAt(found: LogTerms, log: LogTerms): Index | null {
  return found.firstDifference(log, found.lastIndex);
}

function whereItDiffers(found: LogTerms, promised: LogTerms): string {
  const index = differsAt(found, promised) ?? found.lastIndex;
  const was = promised.termAt(index);
  return `entry ${index} of term ${found.termAt(index)}, and ${was === null ? 'there was none' : `it was one of term ${was}`}`;
}
