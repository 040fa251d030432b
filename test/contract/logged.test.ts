/** What a logger prints of a permit or a lease: whether it is still held, and nothing of the key, the connection or the pool. */
import { inspect } from 'node:util';
import { AdaptiveSemaphore, ConnectionPool, KeyedMutex, Mutex, Semaphore } from 'latchkey';
import { RemoteMutex } from 'latchkey/remote-locks';
import { expect, test } from 'vitest';
import { MemoryEngine } from '../remote-locks/support/memory-engine.js';

const connector = { connect: () => ({ password: 'secret' }), close: () => {} };

const permits: Record<string, () => Promise<{ release(): unknown }>> = {
  Mutex: () => new Mutex().acquire(),
  Semaphore: () => new Semaphore(1).acquire(),
  AdaptiveSemaphore: () => new AdaptiveSemaphore().acquire(),
  KeyedMutex: () => new KeyedMutex<object>().acquire({ password: 'secret' }),
  ConnectionPool: () => new ConnectionPool<object, string>(connector).acquire('secret'),
  RemoteMutex: () => new RemoteMutex(new MemoryEngine()).acquire('secret'),
};

test.each(Object.entries(permits))('%s', async (_name, acquire) => {
  const permit = await acquire();
  expect(inspect(permit, { depth: null })).toMatch(/^\w+ \[held\] \{\}$/);
  await permit.release();
  expect(inspect(permit, { depth: null })).toMatch(/^\w+ \[released\] \{\}$/);
  expect(JSON.parse(JSON.stringify(permit))).toMatchObject({ released: true });
  expect(JSON.stringify(permit)).not.toContain('secret');
});
