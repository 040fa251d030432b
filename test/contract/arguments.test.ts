import { Semaphore } from 'latchkey';
import { describe, expect, test } from 'vitest';
import { checkOptions } from '../../src/contract/arguments.js';
import { lockLikes } from '../support/lock-likes.js';

const known = { waitTimeoutMs: true, maxWaiting: true, attempts: true } as const;

describe('unknown options', () => {
  test.each([
    [{ timeout: 50 }, 'unknown option "timeout"; did you mean waitTimeoutMs?'],
    [{ maxWaitting: 5 }, 'unknown option "maxWaitting"; did you mean maxWaiting?'],
    [{ wait_timeout_ms: 50 }, 'unknown option "wait_timeout_ms"; did you mean waitTimeoutMs?'],
    [
      { maxWaiting: 5, retries: 10 },
      'unknown option "retries"; the options are waitTimeoutMs, maxWaiting, attempts',
    ],
    [{ x: undefined }, 'unknown option "x"; the options are waitTimeoutMs, maxWaiting, attempts'],
    [{ '': 1 }, 'unknown option ""; the options are waitTimeoutMs, maxWaiting, attempts'],
  ])('%o is refused by name, with the nearest known one', (options, message) => {
    expect(() => checkOptions(options, known)).toThrow(new TypeError(message));
  });

  test('a name of any length ends in a short message', () => {
    const names = ['timeout'.repeat(100_000), '5'.repeat(100_000)];
    for (const name of names) {
      const refused = () => checkOptions({ [name]: 1 }, known);
      expect(refused).toThrow(TypeError);
      expect(refused).toThrow(/^unknown option .{0,200}$/);
    }
  });

  test('known options pass, and so do names that every object inherits', () => {
    checkOptions({ waitTimeoutMs: 1, maxWaiting: undefined }, known);
    checkOptions(JSON.parse('{"__proto__":{"x":1},"constructor":{},"toString":1}'), known);
    checkOptions({ [Symbol('x')]: 1 }, known);
  });

  test('no getter is called', () => {
    const options = Object.defineProperty({}, 'attempts', {
      get: () => expect.fail('it was read'),
      enumerable: true,
    });
    checkOptions(options, known);
  });

  test('a constructor refuses them', () => {
    expect(() => new Semaphore(1, { maxWait: 5 } as never)).toThrow('did you mean maxWaiting?');
  });
});

describe.each(lockLikes)('$name', ({ make }) => {
  test('a signal in place of the wait options is refused by name', async () => {
    const { signal } = new AbortController();
    const lock = make();
    await expect(lock.run(() => {}, signal as never)).rejects.toThrow(
      new TypeError('options must be an object such as { signal }, got the AbortSignal itself'),
    );
    expect(lock.free()).toBe(true);
  });
});
