/** What `npm run test:watched` runs: the suites of the core with a watcher on that rejects deadlocks. A false alarm fails them. */
import { defineConfig, mergeConfig } from 'vitest/config';
import config from './vitest.config.js';

const merged = mergeConfig(config, defineConfig({ test: { setupFiles: ['test/support/watched.ts'] } }));
const folders = ['calling', 'gather', 'limit', 'locks', 'pool', 'queue', 'retry', 'single-flight', 'waiting'];

export default {
  ...merged,
  test: {
    ...merged.test,
    include: [
      ...folders.map((folder) => `test/${folder}/**/*.test.ts`),
      'test/proof/*.test.ts',
      'test/recipes/*.test.ts',
    ],
  },
};
