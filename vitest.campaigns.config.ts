import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** Long runs on real directories: `npm run campaign`. */
export default defineConfig({
  resolve: base.resolve ?? {},
  test: {
    include: ['test/campaigns/**/*.campaign.ts'],
    // They wait for each other's disks and elections otherwise.
    fileParallelism: false,
    testTimeout: 3_600_000,
    hookTimeout: 60_000,
  },
});
