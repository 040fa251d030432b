/** What `npm run test:watched` runs: every suite that runs locks, with a watcher on that rejects deadlocks. A false alarm fails it. */
import { configDefaults, defineConfig, mergeConfig } from 'vitest/config';
import config from './vitest.config.js';

/** They have watchers of their own, or run no lock in their own process. */
const others = ['watch', 'house', 'package', 'runtimes', 'mutants'];

export default mergeConfig(
  config,
  defineConfig({
    test: {
      setupFiles: ['test/support/watched.ts'],
      exclude: [...configDefaults.exclude, ...others.map((folder) => `test/${folder}/**`)],
      // A row of the hooks makes a watcher, of which there is one per process. A naive program has a deadlock.
      testNamePattern: /^(?!.*('watch onReport'|the naive way with locks hangs))/,
      // The explorer walks through thousands of schedules, each of which is watched.
      testTimeout: 120_000,
    },
  }),
);
