/** What a transaction reports when COMMIT, ROLLBACK or the connection fails. Without a server: a script gives every answer. */
import { type PostgresResult, retryTransaction } from 'latchkey/postgres';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Script, ScriptedPool, serverError } from './support/scripted-pool.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const never = () => new Promise<never>(() => {});
/** Fails the first COMMIT. */
const failingCommit = (error: unknown): Script => {
  let commits = 0;
  return (text) => {
    if (text === 'commit' && commits++ === 0) throw error;
    return undefined;
  };
};

async function settled<T>(promise: Promise<T>): Promise<{ value?: T; error?: unknown }> {
  const outcome = promise.then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  await vi.runAllTimersAsync();
  return outcome;
}

describe('the outcome of a transaction', () => {
  const hooks = {
    defaults: {},
    'shouldRetry: undefined': { shouldRetry: undefined },
    'a shouldRetry that always says yes': { shouldRetry: () => true },
    'a shouldRetry that promises yes': { shouldRetry: async () => true },
  };
  const unanswered = {
    'a lost connection': serverError('ECONNRESET'),
    'a broken pipe, whose code looks like an SQLSTATE': serverError('EPIPE'),
    'a server that shuts down': serverError('57P01'),
    'a connection failure': serverError('08006'),
    'statement completion unknown': serverError('40003'),
    'an error without a code': new Error('Query read timeout'),
  };
  const rows = Object.entries(unanswered).flatMap(([why, error]) =>
    Object.entries(hooks).map(([hook, options]) => ({ why, error, hook, options })),
  );

  test.each(rows)(
    'PT2: COMMIT fails with $why: one run, ERR_OUTCOME_UNKNOWN, with $hook',
    async ({ error, options }) => {
      const pool = new ScriptedPool(failingCommit(error));
      let runs = 0;
      const outcome = await settled(retryTransaction(pool, () => ++runs, options));
      expect(outcome.error).toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN', cause: error });
      expect(runs).toBe(1);
      expect(pool.released).toEqual([true]);
    },
  );

  test('PT2: a shouldRetry is not asked about an unknown outcome, and onRetry is not called', async () => {
    const [shouldRetry, onRetry] = [vi.fn(() => true), vi.fn()];
    await settled(
      retryTransaction(new ScriptedPool(failingCommit(new Error('gone'))), () => 1, { shouldRetry, onRetry }),
    );
    expect(shouldRetry).not.toHaveBeenCalled();
    expect(onRetry).not.toHaveBeenCalled();
  });

  test('PT2: an outcome that is unknown inside of the task is not tried again either', async () => {
    let runs = 0;
    const task = () => {
      runs++;
      throw serverError('ERR_OUTCOME_UNKNOWN');
    };
    await settled(retryTransaction(new ScriptedPool(() => undefined), task, { shouldRetry: () => true }));
    expect(runs).toBe(1);
  });

  test('PT2: an attempt that times out while COMMIT is on its way has an unknown outcome', async () => {
    let commits = 0;
    const pool = new ScriptedPool((text) => (text === 'commit' && commits++ === 0 ? never() : undefined));
    const options = { attemptTimeoutMs: 100, shouldRetry: () => true };
    const outcome = await settled(retryTransaction(pool, () => 1, options));
    expect(outcome.error).toMatchObject({
      code: 'ERR_OUTCOME_UNKNOWN',
      cause: { code: 'ERR_ATTEMPT_TIMEOUT' },
    });
    expect(commits).toBe(1);
  });

  test('PT5: an attempt that was given up in its task is rolled back and never commits', async () => {
    const pool = new ScriptedPool(() => undefined);
    const options = { attemptTimeoutMs: 100, shouldRetry: () => true };
    const task = (_: unknown, { attempt }: { attempt: number }) =>
      attempt === 1 ? new Promise((resolve) => setTimeout(resolve, 500)) : 'second';
    const outcome = await settled(retryTransaction(pool, task, options));
    expect(outcome.value).toBe('second');
    expect(pool.statements.filter((text) => text === 'commit')).toHaveLength(1);
    expect(pool.statements.filter((text) => text === 'rollback')).toHaveLength(1);
    expect(pool.released).toEqual([false, false]);
  });

  test('PT5: an attempt that was given up while it waited for a connection runs no task', async () => {
    const pool = new ScriptedPool(() => undefined);
    const connect = pool.connect.bind(pool);
    let connects = 0;
    pool.connect = async () => {
      if (connects++ === 0) await new Promise((resolve) => setTimeout(resolve, 500));
      return connect();
    };
    let runs = 0;
    await settled(retryTransaction(pool, () => ++runs, { attemptTimeoutMs: 100, shouldRetry: () => true }));
    expect(runs).toBe(1);
    expect(pool.released).toEqual([false, false]);
  });

  test.each(['40001', '40P01'])(
    'PT1: %s at COMMIT is retried, on a connection that is kept',
    async (code) => {
      const pool = new ScriptedPool(failingCommit(serverError(code)));
      expect(await settled(retryTransaction(pool, () => 'done'))).toEqual({ value: 'done' });
      expect(pool.released).toEqual([false, false]);
      expect(pool.listeners.size).toBe(0);
    },
  );

  test('PT1: 40001 that a query builder has wrapped is retried', async () => {
    const wrapped = new Error('Failed query', { cause: new Error('again', { cause: serverError('40001') }) });
    expect(await settled(retryTransaction(new ScriptedPool(failingCommit(wrapped)), () => 'done'))).toEqual({
      value: 'done',
    });
  });

  test('PT3: a COMMIT that is answered with ROLLBACK is an error, and the connection is kept', async () => {
    const pool = new ScriptedPool((text) => (text === 'commit' ? { command: 'ROLLBACK' } : undefined));
    expect((await settled(retryTransaction(pool, () => 1))).error).toMatchObject({ code: 'ERR_ROLLED_BACK' });
    expect(pool.released).toEqual([false]);
  });

  test('PT2: a session that ended before COMMIT was sent is its own error, and the transaction is run again', async () => {
    const pool = new ScriptedPool(() => undefined);
    const ended = serverError('25P03', 'idle-in-transaction timeout');
    const task = (_: unknown, { attempt }: { attempt: number }) => {
      if (attempt === 1) pool.breakOff(ended);
      return attempt;
    };
    expect(await settled(retryTransaction(pool, task))).toEqual({ value: 2 });
    expect(pool.statements.filter((text) => text === 'commit')).toHaveLength(1);
    expect(await settled(retryTransaction(pool, () => pool.breakOff(ended), { attempts: 1 }))).toEqual({
      error: ended,
    });
  });

  test('PT2: a connection that is lost before COMMIT was sent is not an unknown outcome, and the transaction is run again', async () => {
    const pool = new ScriptedPool(() => undefined);
    const task = (_: unknown, { attempt }: { attempt: number }) => {
      if (attempt === 1) pool.breakOff(serverError('ECONNRESET'));
      return attempt;
    };
    expect(await settled(retryTransaction(pool, task))).toEqual({ value: 2 });
    expect(pool.released).toEqual([false, false]);
  });

  test('a pool that cannot connect: its error is that of the caller', async () => {
    const pool = new ScriptedPool(() => undefined);
    const refused = serverError('28P01');
    pool.connect = () => Promise.reject(refused);
    expect(await settled(retryTransaction(pool, () => 1))).toEqual({ error: refused });
    expect(await settled(retryTransaction(pool, () => 1, { attemptTimeoutMs: 100 }))).toEqual({
      error: refused,
    });
  });

  test('PT4: a ROLLBACK that fails hides no error, and closes the connection, which keeps its listener', async () => {
    const pool = new ScriptedPool((text) => {
      if (text === 'rollback') throw new Error('gone');
      return undefined;
    });
    const failure = new Error('of the task');
    expect(await settled(retryTransaction(pool, () => Promise.reject(failure)))).toEqual({ error: failure });
    expect(pool.released).toEqual([true]);
    expect(pool.listeners.size).toBe(1);
  });

  test('PT4: a server that does not answer ROLLBACK holds up the error for five seconds, and the connection is closed', async () => {
    const pool = new ScriptedPool((text) => (text === 'rollback' ? never() : undefined));
    const failure = new Error('of the task');
    const startedMs = Date.now();
    expect(await settled(retryTransaction(pool, () => Promise.reject(failure)))).toEqual({ error: failure });
    expect(Date.now() - startedMs).toBe(5_000);
    expect(pool.released).toEqual([true]);
  });

  test.each([
    ['attempts', { attempts: undefined }],
    ['backoff', { backoff: undefined }],
    ['isolation', { isolation: undefined }],
  ])('%s: undefined means the default', async (_name, options) => {
    const pool = new ScriptedPool((text): Partial<PostgresResult> | undefined => {
      if (text.startsWith('begin')) return undefined;
      throw serverError('40001');
    });
    const startedMs = Date.now();
    expect((await settled(retryTransaction(pool, () => 1, options))).error).toMatchObject({ code: '40001' });
    expect(pool.statements.filter((text) => text === 'begin isolation level serializable')).toHaveLength(10);
    expect(Date.now() - startedMs).toBeLessThan(10_000);
  });
});
