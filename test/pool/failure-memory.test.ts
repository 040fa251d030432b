/** What the pool remembers of failed dials is let go when the pool closes. */
import { ConnectionPool } from 'latchkey';
import { expect, test, vi } from 'vitest';
import { collected } from '../support/collected.js';

/** Fails a dial. Apart from the test, so that no variable of the test keeps the reason alive. */
async function failedDial(pool: ConnectionPool<object, string>, fail: (reason: object) => void) {
  const reason = {};
  fail(reason);
  const code = await pool.acquire('down').catch((error) => error.code);
  return { code, reference: new WeakRef(reason) };
}

test('a pool that is closed keeps no reason of a failed dial', async () => {
  let reason: object | undefined;
  const connect = () => {
    const given = reason;
    reason = undefined;
    return Promise.reject(given);
  };
  const pool = new ConnectionPool<object, string>({ connect, close() {} });
  const { code, reference } = await failedDial(pool, (given) => {
    reason = given;
  });
  expect(code).toBe('ERR_CONNECT');
  await pool.close();
  await vi.waitFor(async () => {
    await collected();
    // An assertion about the reason itself would keep it alive when it fails.
    expect(reference.deref() === undefined).toBe(true);
  });
  expect(pool.stats().keys).toBe(0);
});
