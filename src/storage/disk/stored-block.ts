import type { BlockLocation } from './backends/backend.ts';
import type { BlockHeader } from './block-header.ts';

/** A whole block, and where it is. */
export interface StoredBlock {
  readonly header: BlockHeader;
  readonly location: BlockLocation;
}
