/** What `npm run test:mutants` runs against each mutant: the suites of the core that need neither servers nor much time. */
import { defineConfig, mergeConfig } from 'vitest/config';
import config from './vitest.config.js';

const suites = [
  'waiting/abort-listeners',
  'limit/adaptive-semaphore',
  'retry/backoff',
  'proof/bad-input',
  'proof/bad-input.misbehaving',
  'proof/bad-input.property',
  'queue/bounded-queue',
  'runtime/clock',
  'proof/conformance',
  'runtime/async-context',
  'waiting/deadlines',
  'runtime/diagnostics',
  'contract/errors',
  'gather/gather-settled',
  'gather/gather-settled.race',
  'proof/handover.race',
  'locks/keyed-mutex',
  'waiting/linked-list',
  'package/load',
  'locks/mutex',
  'pool/bad-input',
  'calling/with-timeout',
  'pool/connection-pool',
  'pool/hooks',
  'pool/key-state',
  'pool/one-target',
  'pool/pool-errors',
  'pool/starved-keys',
  'retry/retry',
  'retry/retry-budget',
  'retry/retry.model',
  'proof/rules',
  'locks/semaphore',
  'single-flight/single-flight',
  'waiting/wait-queue',
];

const merged = mergeConfig(config, defineConfig({ test: { reporters: ['default'] } }));

export default {
  ...merged,
  test: { ...merged.test, include: suites.map((suite) => `test/${suite}.test.ts`) },
};
