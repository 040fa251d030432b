/** What `npm run test:mutants` runs against each mutant: the suites of the core that need neither servers nor much time. */
import { defineConfig, mergeConfig } from 'vitest/config';
import config from './vitest.config.js';

const suites = [
  'abort-listeners',
  'adaptive-semaphore',
  'backoff',
  'bad-input',
  'bad-input.misbehaving',
  'bad-input.property',
  'bounded-queue',
  'clock',
  'conformance',
  'context',
  'deadlines',
  'diagnostics',
  'errors',
  'gather-settled',
  'gather-settled.race',
  'handover.race',
  'keyed-mutex',
  'linked-list',
  'load',
  'mutex',
  'pool/bad-input',
  'pool/bounded',
  'pool/connection-pool',
  'pool/hooks',
  'pool/key-state',
  'pool/one-target',
  'pool/standing',
  'pool/starved-keys',
  'retry',
  'retry-budget',
  'retry.model',
  'rules',
  'semaphore',
  'single-flight',
  'wait-queue',
];

const merged = mergeConfig(config, defineConfig({ test: { reporters: ['default'] } }));

export default {
  ...merged,
  test: { ...merged.test, include: suites.map((suite) => `test/${suite}.test.ts`) },
};
