import { inspect } from 'node:util';
import { KeyedMutex } from 'latchkey';
import { expect, test } from 'vitest';

async function timedOut(key: unknown): Promise<Error & { key: unknown }> {
  const mutex = new KeyedMutex<unknown>();
  mutex.tryAcquire(key);
  return mutex.acquire(key, { waitTimeoutMs: 0 }).then(
    () => Promise.reject(new Error('granted')),
    (error) => error,
  );
}

test('ER1: a key is readable, and no logger prints it', async () => {
  const key = { host: 'db', password: 'secret' };
  const error = await timedOut(key);
  expect(error.key).toBe(key);
  expect(inspect(error, { depth: null })).not.toContain('secret');
  expect(JSON.stringify(error)).not.toContain('secret');
});

test('ER2: a message shows neither the userinfo nor the query of a URL', async () => {
  const error = await timedOut('postgres://ann:secret@db:5432/app?token=hidden');
  expect(error.message).toContain('db:5432/app');
  expect(error.message).not.toMatch(/ann|secret|hidden/);
});

test('ER3: the name can be assigned', async () => {
  const error = await timedOut('key');
  expect(error.name).toBe('WaitTimeoutError');
  error.name = 'Renamed';
  expect([error.name, Object.keys(error).includes('name')]).toEqual(['Renamed', expect.any(Boolean)]);
});
