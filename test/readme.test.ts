import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

it.each([
  ['README.md', 4],
  ['docs/metrics.md', 2],
])('the programs of %s run as they stand, and print what they say', async (page, count) => {
  const text = await readFile(join(root, page), 'utf8');
  const programs = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, program = '']) => program);
  expect(programs).toHaveLength(count);
  // Below the package, so that they import `kontiki` as users of the built package do.
  const directory = await mkdtemp(join(root, 'dist', 'readme-'));
  try {
    for (const program of programs) {
      const promised = /console\.log\(.*\); \/\/ (.*)/.exec(program)?.[1];
      expect(promised).toBeDefined();
      const file = join(directory, 'program.mjs');
      await writeFile(file, program);
      const { stdout } = await promisify(execFile)(process.execPath, [file]);
      expect(stdout.trim()).toBe(promised);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('importing kontiki loads neither the dependencies of the lab nor optional peers', async () => {
  // A loader that refuses them: an import that reaches one fails, and says which.
  const refuse = `export async function resolve(specifier, context, next) {
    if (/^(zod|yaml|commander|pure-rand|fast-check|prom-client|@opentelemetry)(\\/|$)/.test(specifier)) {
      throw new Error('loads ' + specifier);
    }
    return next(specifier, context);
  }`;
  const program = `
    import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(refuse)}));
    await import('kontiki'); await import('kontiki/storage'); await import('kontiki/transport');
    for (const name of ['kontiki/lab', 'kontiki/opentelemetry']) {
      console.log(await import(name).then(() => 'loads nothing', (error) => error.message));
    }`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
  });
  // The lab and an adapter do load them, so the loader would have caught the library too.
  expect(stdout).toMatch(/^loads (zod|yaml|commander|pure-rand)(\/\S+)?\nloads @opentelemetry\/api\n$/);
});
