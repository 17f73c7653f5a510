/** One mistake in a scenario file. */
export interface Mistake {
  /** Both 1-based. */
  readonly line: number;
  readonly column: number;
  /** Which setting, for example `timeline[2].partition.on`; empty for the document as a whole. */
  readonly where: string;
  readonly found: string;
  readonly expected: string;
}

/** A scenario that cannot be run as it is; `mistakes` lists all that is wrong with it, in file order. */
export class ScenarioError extends Error {
  readonly code = 'KONTIKI_SCENARIO_INVALID';
  readonly file: string;
  readonly mistakes: readonly Mistake[];
  constructor(file: string, mistakes: readonly Mistake[]) {
    const ordered = [...mistakes].sort((a, b) => a.line - b.line || a.column - b.column);
    super(ordered.map((mistake) => formatMistake(file, mistake)).join('\n'));
    this.name = 'ScenarioError';
    this.file = file;
    this.mistakes = ordered;
  }
}

/** `file:line:column: where: found X, expected Y`, which editors and terminals turn into a link. */
export function formatMistake(file: string, mistake: Mistake): string {
  const where = mistake.where === '' ? '' : `${mistake.where}: `;
  return `${file}:${mistake.line}:${mistake.column}: ${where}found ${mistake.found}, expected ${mistake.expected}`;
}
