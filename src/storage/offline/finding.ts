import type { Index } from '../../raft/entry.ts';
import type { GroupId } from '../../raft/identity.ts';
import type { NumberRange } from '../disk/recover.ts';

/** Something about a directory that an operator should know. */
export interface Finding {
  /** `damage`: bytes are not what was written. `note`: as a crash may leave it, and harmless. */
  readonly kind: 'damage' | 'note';
  readonly shard?: number;
  readonly group?: GroupId;
  /** Numbers of blocks. */
  readonly blocks?: NumberRange;
  /** Both inclusive. */
  readonly entries?: { readonly from: Index; readonly to: Index };
  /** Within the directory. */
  readonly file?: string;
  readonly what: string;
}
