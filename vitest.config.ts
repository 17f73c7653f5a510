import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ClosingLineReporter } from './test/closing-line-reporter.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^kontiki$/, replacement: at('./src/index.ts') },
      { find: /^kontiki\/(storage|transport)$/, replacement: at('./src/$1/index.ts') },
      { find: /^kontiki\/(prom-client|opentelemetry)$/, replacement: at('./src/adapters/$1.ts') },
      { find: /^kontiki\/lab$/, replacement: at('./lab/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', new ClosingLineReporter()],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
