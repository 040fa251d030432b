/** What the pool remembers of failed dials is let go when the pool closes. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ConnectionPool } from 'latchkey';
import { expect, test, vi } from 'vitest';

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
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await vi.waitFor(() => {
    collect();
    // An assertion about the reason itself would keep it alive when it fails.
    expect(reference.deref() === undefined).toBe(true);
  });
  expect(pool.stats().keys).toBe(0);
});
