/** What a logger prints of a permit or a lease: whether it is still held, and nothing of the key, the connection or the pool. */
import { inspect } from 'node:util';
import { ConnectionPool, KeyedMutex, Mutex, type Permit, Semaphore } from 'latchkey';
import { expect, test } from 'vitest';

const connector = { connect: () => ({ password: 'secret' }), close: () => {} };

const permits: Record<string, () => Permit | Promise<Permit>> = {
  Mutex: () => new Mutex().acquire(),
  Semaphore: () => new Semaphore(1).acquire(),
  KeyedMutex: () => new KeyedMutex<object>().acquire({ password: 'secret' }),
  ConnectionPool: () => new ConnectionPool<object, string>(connector).acquire('secret'),
};

test.each(Object.entries(permits))('%s', async (_name, acquire) => {
  const permit = await acquire();
  expect(inspect(permit, { depth: null })).toMatch(/^\w+ \[held\] \{\}$/);
  permit.release();
  expect(inspect(permit, { depth: null })).toMatch(/^\w+ \[released\] \{\}$/);
  expect(JSON.stringify(permit)).not.toContain('secret');
});
