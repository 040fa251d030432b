import { ConnectionPool, type ConnectionPoolOptions } from '../../src/index.js';
import { type Callers, microtasks, quietly } from './callers.js';
import { FaultyConnector } from './faulty-connector.js';
import type { Kind, Subject } from './kind.js';

export const pools: readonly Kind[] = [
  ['exclusive, one target', { max: 5 }, 1],
  ['exclusive, 30 targets', { max: 8, maxPerKey: 3, leakWarnAfterMs: 5 }, 30],
  ['shared, 30 targets', { max: 8, leasesPerConnection: 4, maxLifetimeMs: 20 }, 30],
].map(([name, options, targets]) => ({
  name: `ConnectionPool, ${name}`,
  make: (callers) => poolSubject(callers, options as ConnectionPoolOptions, targets as number),
}));

function poolSubject(callers: Callers, options: ConnectionPoolOptions, targets: number): Subject {
  const { random } = callers;
  const connector = new FaultyConnector(random);
  const patience = { waitTimeoutMs: 20, connectTimeoutMs: 5, closeTimeoutMs: 5, validateTimeoutMs: 5 };
  const pool = new ConnectionPool(connector, {
    ...patience,
    ...options,
    maxWaiting: 400,
    idleTimeoutMs: 5,
    validateAfterIdleMs: 1,
    onEvent: () => {},
  });
  const use = async () => {
    const key = random.below(targets);
    // A failed dial starts a backoff, which is not tested here.
    if (random.chance(0.02)) pool.reset(key);
    if (random.chance(0.6)) return pool.use(key, callers.task, callers.options());
    const lease = await pool.acquire(key, callers.options());
    await microtasks(random.below(3));
    if (random.chance(0.01)) lease.connection.lose();
    if (random.chance(0.01)) lease.destroy();
    lease.release(lease.signal.aborted || random.chance(0.05) ? new Error('broken') : undefined);
  };
  return {
    call: () => quietly(use()),
    end: () => pool.close(),
    left: () => {
      const { total, waiting, keys } = pool.stats();
      return { total, waiting, keys, open: connector.open };
    },
  };
}
