import type { RunResult } from './run-result.ts';

/** The format of the file; grows when a reader of the old one would misread the new one. */
const FORMAT_VERSION = 1;

/**
 * Results for other programs: `{ version, results }`. Wall time is left out, so that two runs of one seed
 * give the same bytes on any machine.
 */
export function formatResultsJson(results: readonly RunResult[]): string {
  const timeless = results.map(({ wallMs: _, ...result }) => result);
  return `${JSON.stringify({ version: FORMAT_VERSION, results: timeless }, null, 2)}\n`;
}
