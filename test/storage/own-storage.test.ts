import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('the storage of docs/storage.md passes the conformance suite, as its readers run it', async () => {
  const text = await readFile(join(root, 'docs/storage.md'), 'utf8');
  const programs = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, program = '']) => program);
  const [storage, suite, ...others] = programs;
  if (storage === undefined || suite === undefined) throw new Error('the page has no storage and no suite');
  expect(others).toEqual([]);
  // Below the package, so that they import `kontiki` as users of the built package do.
  const directory = await mkdtemp(join(root, 'dist', 'own-storage-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'one-file-storage.mjs'), storage);
  await writeFile(join(directory, 'suite.mjs'), suite);
  const run = promisify(execFile)(process.execPath, ['--test-reporter=tap', join(directory, 'suite.mjs')]);
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  expect(stdout.split('\n').filter((line) => /^\s*not ok/.test(line))).toEqual([]);
  const [, passed] = /^# pass (\d+)$/m.exec(stdout) ?? [];
  expect(Number(passed)).toBeGreaterThan(50);
});
