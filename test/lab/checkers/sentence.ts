import { expect } from 'vitest';
import type { Checker } from '../../../lab/checkers/checker.ts';
import { Stream } from './stream.ts';

/** Runs a story up to its last observation, which must be the one that the checker objects to. */
export function sentence(checker: Checker, tell: (stream: Stream) => Stream): string | null {
  const { violation } = tell(new Stream(checker));
  if (violation) expect(violation.checker).toBe(checker.name);
  return violation?.sentence ?? null;
}
