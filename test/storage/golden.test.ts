import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FORMAT_VERSION } from '../../src/storage/disk/identity-file.ts';
import { contentOf, writeReplicaContent } from '../fixtures/replica-content.ts';

const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url));
const backends = ['files', 'level'] as const;
const formats = (await readdir(fixtures)).filter((name) => name.startsWith('format-'));
const current = `format-${FORMAT_VERSION}`;

// MAKE_GOLDEN=1 npx vitest run test/storage/golden.test.ts makes the directories of a new format. Those that are there
// stay as they are: a released version wrote them.
if (process.env.MAKE_GOLDEN === '1' && !formats.includes(current)) {
  for (const backend of backends) {
    const directory = join(fixtures, current, backend);
    await writeReplicaContent(directory, { backend });
    // Made anew when they are missing, and other each time.
    await rm(join(directory, 'lock'), { recursive: true });
    for (const shard of (await readdir(directory)).filter((name) => name.startsWith('shard-'))) {
      for (const trace of ['LOG', 'LOG.old']) await rm(join(directory, shard, trace), { force: true });
    }
    const expected = await contentOf(await copyOf(directory), { backend });
    await writeFile(join(fixtures, current, `${backend}.json`), `${JSON.stringify(expected, null, 1)}\n`);
  }
  formats.push(current);
}

async function copyOf(directory: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kontiki-golden-'));
  await mkdir(join(folder, 'n1'));
  await cp(directory, join(folder, 'n1'), { recursive: true });
  return join(folder, 'n1');
}

it('there is a directory of the present format', () => {
  expect(formats).toContain(current);
});

it.each(backends)(
  'holds what it was meant to hold: entries, a cut, a floor, a vote, a snapshot (%s)',
  async (backend) => {
    const text = await readFile(join(fixtures, 'format-2', `${backend}.json`), 'utf8');
    const { orders, users, votes } = JSON.parse(text).groups;
    expect(orders).toMatchObject({
      hardState: { term: 3, votedFor: { id: 'n2' } },
      floor: { index: 6, term: 1 },
      lastIndex: 23,
      runs: [
        { term: 1, firstIndex: 7 },
        { term: 2, firstIndex: 8 },
        { term: 3, firstIndex: 21 },
      ],
      snapshot: { meta: { index: 6, term: 1, size: 1250 } },
    });
    expect(Buffer.from(orders.snapshot.content, 'hex').toString()).toMatch(
      /^(the state of all orders; ){50}$/,
    );
    const kinds = orders.entries.map(({ kind }: { kind: string }) => kind);
    expect(kinds).toEqual([...Array(14).fill('command'), 'noop', 'session', 'configuration']);
    expect(Buffer.from(orders.entries[1].payload, 'hex').toString()).toMatch(/^(order 8 of term 2; ){10}$/);
    expect(users.entries.map(({ kind }: { kind: string }) => kind)).toEqual([
      'configuration',
      'noop',
      'command',
    ]);
    expect(votes).toMatchObject({ hardState: { term: 4, votedFor: { id: 'n3' } }, lastIndex: 0 });
  },
);

describe.each(formats)('a directory of %s', (format) => {
  it.each(backends)(
    'opens, and every entry, term, vote, floor and snapshot is there (%s)',
    async (backend) => {
      const expected: unknown = JSON.parse(await readFile(join(fixtures, format, `${backend}.json`), 'utf8'));
      const directory = await copyOf(join(fixtures, format, backend));
      onTestFinished(() => rm(join(directory, '..'), { recursive: true }));
      expect(await contentOf(directory, { backend })).toEqual(expected);
      const again = await contentOf(directory, { backend });
      expect(again).toEqual({ ...(expected as object), boot: (expected as { boot: number }).boot + 1 });
    },
  );
});
