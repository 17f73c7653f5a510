import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ClosingLineReporter } from './test/closing-line-reporter.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** They put planted bugs in the place of modules, or measure the memory of their process. */
const alone = ['test/lab/planted-bugs/**/*.test.ts', 'test/transport/tcp-garbage.test.ts'];

export default defineConfig({
  resolve: {
    alias: [
      { find: /^kontiki$/, replacement: at('./src/index.ts') },
      { find: /^kontiki\/(storage|transport)$/, replacement: at('./src/$1/index.ts') },
      { find: /^kontiki\/storage\/conformance$/, replacement: at('./src/storage/conformance.ts') },
      { find: /^kontiki\/(prom-client|opentelemetry)$/, replacement: at('./src/adapters/$1.ts') },
      { find: /^kontiki\/lab$/, replacement: at('./lab/index.ts') },
    ],
  },
  test: {
    reporters: ['default', new ClosingLineReporter()],
    // More than there are cores: many tests wait, for elections of real nodes and for disks.
    maxWorkers: 4,
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          // Loading the modules anew for each file takes longer than most files do.
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: alone, isolate: true, testTimeout: 60_000, hookTimeout: 60_000 },
      },
    ],
  },
});
