import type { Index } from '../../raft/entry.ts';
import type { BlockContent } from './block.ts';
import type { GroupLog } from './group-log.ts';

/**
 * Before anything is promised on what was found: a block above every number ever seen, that voids what
 * was cut. Were a cut block's number taken again without it, a later scan could not tell the two apart.
 */
export interface OpenRecord {
  readonly cutFrom: Index;
  readonly voidFrom: number;
}

export function openRecordContent(log: GroupLog, { cutFrom, voidFrom }: OpenRecord): BlockContent {
  return {
    group: log.group,
    number: log.nextNumber,
    firstIndex: cutFrom,
    predecessor: log.end,
    hardStateTerm: log.hardState.term,
    durableNumber: voidFrom - 1,
    voidFrom,
    repairs: false,
    commitOffset: 0,
    entries: [],
  };
}
