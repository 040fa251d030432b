/** What a check costs that settles at once: pools such as knex validate at every borrow. */
import { ConnectionPool, type Connector } from 'latchkey';
import { afterEach, expect, test, vi } from 'vitest';
import { DeferredCalls } from '../../src/pool/deferred-calls.js';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const borrows = 100;

/** What `borrows` leases of one connection cost with these hooks. */
async function costOf(hooks: Partial<Connector<object>>) {
  const setTimeout = vi.spyOn(globalThis, 'setTimeout');
  let controllers = 0;
  vi.stubGlobal(
    'AbortController',
    class extends AbortController {
      constructor() {
        super();
        controllers++;
      }
    },
  );
  const pool = new ConnectionPool<object>(
    { connect: () => ({}), close() {}, ...hooks },
    { max: 1, validateAfterIdleMs: 0, waitTimeoutMs: Infinity, idleTimeoutMs: Infinity },
  );
  await pool.use(() => {});
  await pool.use(() => {});
  setTimeout.mockClear();
  controllers = 0;
  const sections = vi.spyOn(DeferredCalls.prototype, 'end');
  for (let i = 0; i < borrows; i++) await pool.use(() => {});
  const cost = { timers: setTimeout.mock.calls.length, controllers, sections: sections.mock.calls.length };
  vi.restoreAllMocks();
  await pool.close();
  return cost;
}

const calls: string[] = [];
const note = (hook: string) => {
  calls.push(hook);
  return true;
};

test('a validate that settles at once costs no timer and no AbortController', async () => {
  for (const validate of [
    () => note('sync'),
    async () => note('async'),
    () => Promise.resolve(note('promise')),
  ]) {
    expect(await costOf({ validate })).toMatchObject({ timers: 0, controllers: 0 });
  }
  expect(calls.filter((hook) => hook === 'async')).toHaveLength(borrows + 1);
});

test('a validate that awaits answers known already costs no timer, as that of knex', async () => {
  const isRefreshed = async () => false;
  const validate = async () => {
    if (await isRefreshed()) return false;
    await undefined;
    return isRefreshed().then((refreshed) => !refreshed);
  };
  expect(await costOf({ validate })).toMatchObject({ timers: 0, controllers: 0 });
});

test('a reset that settles at once costs no timer and no AbortController', async () => {
  expect(await costOf({ reset: async () => {} })).toMatchObject({ timers: 0, controllers: 0 });
});

test('a check adds one section to a lease, the one that takes its answer', async () => {
  expect((await costOf({})).sections).toBe(2 * borrows);
  expect((await costOf({ validate: async () => true })).sections).toBe(3 * borrows);
});

test('a hook that takes the signal gets one of its own for each check', async () => {
  const signals = new Set<AbortSignal>();
  const validate = async (_: object, signal: AbortSignal) => {
    signals.add(signal);
    return true;
  };
  expect(await costOf({ validate })).toMatchObject({ timers: 0, controllers: borrows });
  expect(signals.size).toBe(borrows + 1);
});

test('a check that has to wait is bounded by one timer', async () => {
  const validate = () => new Promise<boolean>((resolve) => setImmediate(resolve, true));
  expect(await costOf({ validate })).toMatchObject({ timers: borrows, controllers: 0 });
});
