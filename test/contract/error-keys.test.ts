import { inspect } from 'node:util';
import { KeyedMutex } from 'latchkey';
import { expect, test } from 'vitest';
import { printable } from '../../src/contract/errors.js';

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

test.each([
  ['a URL inside a text', ' tenant|postgres://ann:secret@db/app?x=secret', ' tenant|postgres://…@db/app'],
  ['a URL in a URL', 'jdbc:postgresql://db/app?user=ann&password=secret', 'jdbc:postgresql://db/app'],
  ['a URL without a scheme', '//ann:secret@db/app', '//…@db/app'],
  ['a password with a slash', 'postgres://ann:secret/secret@db/app', 'postgres://…@db/app'],
  ['a password with a hash', 'postgres://ann:secret#secret@db/app', 'postgres://…@db/app'],
  ['a password with an at sign', 'postgres://ann:secret@secret@db/app', 'postgres://…@db/app'],
  ['several hosts', 'mongodb://ann:secret@a,b/app', 'mongodb://…@a,b/app'],
  ['a fragment', 'https://db/#secret', 'https://db/'],
  ['a path with a URL in its query', '/go?token=secret&to=http://db/', '/go'],
  ['a path with a query', '/download?token=secret', '/download'],
  ['user and password before a host', 'ann:secret@db:5432', 'ann:…@db:5432'],
  ['a libpq connection string', "host=db password='secret secret' user=ann", 'host=db password=… user=ann'],
  ['an ADO connection string', 'Server=db;Pwd = secret;Encrypt=true', 'Server=db;Pwd=…;Encrypt=true'],
])('ER2: %s', async (_what, key, shown) => {
  expect((await timedOut(key)).message).toContain(JSON.stringify(shown));
  expect((await timedOut([key])).message).not.toContain('secret');
});

test.each([
  'user:7',
  'db:5432/app',
  'ann@example.org',
  'a?b',
  '2026-11-28T10:00',
  'orders/7#items',
  'x=1;y=2',
  'http://db:80/a:b',
])('ER2: %s is shown as it is', async (key) => {
  expect((await timedOut(key)).message).toContain(JSON.stringify(key));
});

test('ER2: a text that a stranger chose takes linear time', () => {
  const parts = ['//', 'a:', '@', '?a', 'key=', ' ', '//a:', ':@', 'password', "key='"];
  // Quadratic, the longest of them would take ten milliseconds each.
  for (const part of parts) {
    for (let i = 0; i < 3_000; i++) printable(part.repeat(10_000));
  }
});

test('ER3: the name can be assigned', async () => {
  const error = await timedOut('key');
  expect(error.name).toBe('WaitTimeoutError');
  error.name = 'Renamed';
  expect([error.name, Object.keys(error).includes('name')]).toEqual(['Renamed', expect.any(Boolean)]);
});
