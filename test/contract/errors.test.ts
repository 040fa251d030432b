import {
  AttemptTimeoutError,
  ClosedError,
  ConnectError,
  LeaseLostError,
  QueueFullError,
  WaitTimeoutError,
} from 'latchkey';
import { describe, expect, test } from 'vitest';
import { printable } from '../../src/contract/errors.js';

const details = { key: 'account:7', waitedMs: 250.4, held: 3, waiting: 2, limit: 3 };

describe('errors', () => {
  test.each([
    [new WaitTimeoutError(details), 'WaitTimeoutError', 'ERR_WAIT_TIMEOUT'],
    [new QueueFullError(details), 'QueueFullError', 'ERR_QUEUE_FULL'],
    [new ClosedError('the pool'), 'ClosedError', 'ERR_CLOSED'],
    [new ConnectError('no', { key: 'db', cause: 1 }), 'ConnectError', 'ERR_CONNECT'],
    [new AttemptTimeoutError(2, 100), 'AttemptTimeoutError', 'ERR_ATTEMPT_TIMEOUT'],
    [new LeaseLostError('gone'), 'LeaseLostError', 'ERR_LEASE_LOST'],
  ])('%s is an Error with a name and a stable code', (error, name, code) => {
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name, code });
    expect(String(error)).toBe(`${name}: ${error.message}`);
    expect(error.stack).toContain(name);
  });

  test('the error of a wait has the key, the time and the counts', () => {
    const error = new WaitTimeoutError({ ...details, hint: 'the last dial failed' }, { cause: 'why' });
    expect(error).toMatchObject({ ...details, cause: 'why' });
    expect(error.message).toBe(
      'gave up after waiting 250 ms for "account:7" (3 of 3 held, 2 waiting); the last dial failed',
    );
    const { key: _key, ...keyless } = details;
    expect(new QueueFullError(keyless).message).toBe('too many callers waiting (3 of 3 held, 2 waiting)');
  });

  test.each<[unknown, string]>([
    ['text', '"text"'],
    ['two\nlines', String.raw`"two\nlines"`],
    ['x'.repeat(1_000), `"${'x'.repeat(79)}…"`],
    [5, '5'],
    [-0, '-0'],
    [5n, '5n'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [() => 'secret', 'a function'],
    [{ secret: 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [[1, 'a', [2], {}], '[1, "a", an array, an object]'],
    [[1, 2, 3, 4, 5, 6], '[1, 2, 3, 4, 5, …]'],
    [
      {
        toString() {
          throw new Error('no');
        },
      },
      'an object',
    ],
  ])('a value in a message is short and safe: %#', (value, text) => {
    expect(printable(value)).toBe(text);
  });
});
