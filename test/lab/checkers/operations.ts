import type { KvResult, Operation } from '../../../lab/workload/history.ts';
import { History } from '../../../lab/workload/history.ts';

/**
 * A history drawn as text, one operation a line:
 *
 *     c0 |---|        write 1
 *     c1     |----|   read 1
 *     c2   |---?      write 2      outcome unknown
 *     c2   |---x      write 2      failed
 *     c3   |--        cas 1 2      still running
 *
 * Columns are time. `cas E V` swapped, `cas E V no` did not; `-` as a value is null. The key is `k`
 * unless the line ends with `on KEY`.
 */
export function drawn(picture: string): Operation[] {
  const lines = picture.split('\n').filter((line) => line.trim() !== '');
  const rows = lines.map((line) => {
    const match = /^\s*c(\d+)(\s+)(\|-*[|?x]?)\s+(.*?)(?:\s+on (\w+))?\s*$/.exec(line);
    if (!match) throw new Error(`cannot read ${JSON.stringify(line)}`);
    const [, client = '', gap = '', bar = '', what = '', key = 'k'] = match;
    const start = line.indexOf('|');
    return { client: Number(client), start, gap, bar, what, key };
  });
  const history = new History();
  const operations = new Map<(typeof rows)[number], Operation>();
  const last = Math.max(...rows.map(({ start, bar }) => start + bar.length));
  for (let column = 0; column <= last; column += 1) {
    for (const row of rows) {
      // Calls first: what starts in the column in which another ends is concurrent with it.
      if (row.start === column) {
        operations.set(row, history.call(row.client, parsed(row).call, column));
      }
    }
    for (const row of rows) {
      const operation = operations.get(row);
      if (!operation || row.start + row.bar.length - 1 !== column) continue;
      const end = row.bar.length > 1 ? row.bar.at(-1) : '-';
      if (end === '|') history.ok(operation, parsed(row).result, column);
      else if (end === '?') history.unknown(operation, 'timed out', column);
      else if (end === 'x') history.failed(operation, 'NotLeader', column);
    }
  }
  return [...history.operations];
}

/** The last column of a line. */
export function parsed({ what, key }: { what: string; key: string }): {
  call: Operation['call'];
  result: KvResult;
} {
  const [kind = '', first = '', second = '', no] = what.split(/\s+/);
  const value = (text: string): number | null => (text === '-' ? null : Number(text));
  switch (kind) {
    case 'read':
      return { call: { kind, key }, result: { kind, value: value(first) } };
    case 'write':
      return { call: { kind, key, value: Number(first) }, result: { kind } };
    case 'cas':
      return {
        call: { kind, key, expected: value(first), value: Number(second) },
        result: { kind, swapped: no !== 'no' },
      };
    default:
      throw new Error(`no operation called ${kind}`);
  }
}
