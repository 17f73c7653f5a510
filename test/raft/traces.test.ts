import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { commands } from './trace-commands.ts';
import { TraceDriver } from './trace-driver.ts';
import { parseTrace, printTrace, replay } from './trace-file.ts';

const folder = fileURLToPath(new URL('./traces/', import.meta.url));
const rewrites = process.env.UPDATE_TRACES === '1';

function play(file: string, text: string): string {
  const driver = new TraceDriver();
  return printTrace(replay(file, parseTrace(file, text), (command) => driver.tell(command)));
}

describe('traces', () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));

  test('there are stories to tell', () => {
    expect(files.length).toBeGreaterThanOrEqual(25);
  });

  test.each(files)('%s', (name) => {
    const text = readFileSync(folder + name, 'utf8');
    const told = play(name, text);
    if (rewrites) writeFileSync(folder + name, told);
    else expect(told).toBe(text);
  });
});

describe('the runner of traces', () => {
  const of = (...lines: string[]): string => play('story.txt', lines.join('\n'));

  test('writes below the line what changed, in place of whatever stood there', () => {
    const told = of('# Nobody votes.', 'cluster S1 S2 S3', '----', 'an older telling', '', 'tick S1', '----');
    expect(told).toBe(
      [
        '# Nobody votes.',
        'cluster S1 S2 S3',
        '----',
        'ok',
        '',
        'tick S1',
        '----',
        'S1 follower -> pre-candidate',
        'S1->S2 RequestPreVote term=2 last=1/1',
        'S1->S3 RequestPreVote term=2 last=1/1',
        '',
      ].join('\n'),
    );
  });

  test('tells the same a second time', () => {
    const told = of('cluster S1 S2 S3', 'run 3000', 'propose S1 x', 'settle', 'show logs');
    expect(play('story.txt', told)).toBe(told);
  });

  test('every command is explained', () => {
    const explained = readFileSync(`${folder}README.md`, 'utf8');
    const missing = Object.keys(commands).filter((verb) => !new RegExp(`\`${verb}[ \`]`).test(explained));
    expect(missing).toEqual([]);
  });

  test.each([
    ['a word too many', ['cluster S1', 'crash S1 S2'], 'story.txt:2: crash S1 S2: 2 words after crash'],
    ['a name that it does not take', ['cluster S1', 'wipe S1 keep=2'], 'wipe takes no keep'],
    ['a command that is none', ['cluster S1', 'dance S1'], 'story.txt:2: dance S1: there is no such command'],
    ['a command before the cluster', ['settle'], 'story.txt:1: settle: there is no cluster yet'],
    ['an unknown replica', ['cluster S1', 'crash S9'], 'story.txt:2: crash S9: no replica S9'],
    ['a replica that is down', ['cluster S1', 'crash S1', 'tick S1'], 'story.txt:3: tick S1: S1 is down'],
    [
      'a link that carries nothing',
      ['cluster S1 S2', '', 'deliver S1->S2'],
      'story.txt:3: deliver S1->S2: no message from S1 to S2',
    ],
    ['no link', ['cluster S1 S2', 'drop S1'], 'S1 is no link; write S1->S2 or S1->S2:AppendEntries'],
    [
      'an option that is none',
      ['cluster S1 luck=on', 'settle'],
      'story.txt:2: settle: there is no option luck',
    ],
    ['a log in the middle', ['cluster S1', 'settle', 'log S1 1 1'], 'a log is given with its cluster'],
    ['narration in the middle', ['cluster S1', '# so it is'], 'story.txt:2: narration after a command'],
    ['a line with nothing above it', ['----', 'ok'], 'story.txt:2: nothing is asked for above this ----'],
  ])('names the file and the line of %s', (_case, lines, mistake) => {
    expect(() => of(...lines)).toThrow(mistake);
  });
});
