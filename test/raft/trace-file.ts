/**
 * A trace is a story of a cluster as plain text: blocks parted by blank lines, each with its narration, its
 * commands, and what changed since.
 *
 *     # S3 misses entry 5, so it commits on S1 and S2 alone.
 *     drop S1->S3
 *     deliver S1->S2 S2->S1
 *     ----
 *     S2->S1 AppendEntriesResponse term=1 accepted matchIndex=5 verifiedIndex=5
 *     S1 commitIndex 4 -> 5
 *
 * The format is after the idea of etcd's `testdata`. What is below the `----` is written by the runner; a
 * person reads it and judges whether it is what Raft does.
 */
export interface TraceBlock {
  readonly narration: readonly string[];
  readonly commands: readonly TraceCommand[];
  readonly output: readonly string[];
}

export interface TraceCommand {
  readonly text: string;
  /** Counted from 1, for mistakes to name. */
  readonly line: number;
}

const divider = '----';
/** What a block says in which nothing changed. */
export const nothingChanged = 'ok';

export class TraceMistake extends Error {
  constructor(file: string, line: number, what: string) {
    super(`${file}:${line}: ${what}`);
    this.name = 'TraceMistake';
  }
}

export function parseTrace(file: string, text: string): TraceBlock[] {
  const blocks: TraceBlock[] = [];
  const lines = text.split('\n');
  let at = 0;
  while (at < lines.length) {
    if (lines[at]?.trim() === '') {
      at += 1;
      continue;
    }
    const narration: string[] = [];
    const commands: TraceCommand[] = [];
    const output: string[] = [];
    let divided = false;
    for (let line = lines[at]; line !== undefined && line.trim() !== ''; line = lines[at]) {
      at += 1;
      if (divided) output.push(line);
      else if (line === divider) divided = true;
      else if (line.startsWith('#') && commands.length === 0) narration.push(line);
      else if (line.startsWith('#')) throw new TraceMistake(file, at, 'narration after a command');
      else commands.push({ text: line, line: at });
    }
    if (divided && commands.length === 0) {
      throw new TraceMistake(file, at, `nothing is asked for above this ${divider}`);
    }
    blocks.push({ narration, commands, output });
  }
  return blocks;
}

export function printTrace(blocks: readonly TraceBlock[]): string {
  const texts = blocks.map(({ narration, commands, output }) => {
    const asked = [...narration, ...commands.map(({ text }) => text)];
    return (commands.length === 0 ? asked : [...asked, divider, ...output]).join('\n');
  });
  return `${texts.join('\n\n')}\n`;
}

/** The same story with what happens now. `tell` does one command and returns what there is to say. */
export function replay(
  file: string,
  blocks: readonly TraceBlock[],
  tell: (command: string) => string[],
): TraceBlock[] {
  return blocks.map((block) => {
    const output: string[] = [];
    for (const { text, line } of block.commands) {
      try {
        output.push(...tell(text));
      } catch (error) {
        const what = error instanceof Error ? error.message : String(error);
        throw new TraceMistake(file, line, `${text}: ${what}`);
      }
    }
    return { ...block, output: output.length === 0 ? [nothingChanged] : output };
  });
}
