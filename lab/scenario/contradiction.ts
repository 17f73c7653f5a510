import type { Path } from './yaml-document.ts';

/** A setting that is right in itself and wrong beside another one. */
export interface Contradiction {
  readonly path: Path;
  readonly expected: string;
}
