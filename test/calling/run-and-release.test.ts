import { Mutex } from 'latchkey';
import { describe, expect, test } from 'vitest';

describe('a task that holds something', () => {
  test('RR1: has released it before its caller sees the result', async () => {
    const mutex = new Mutex();
    const seen: boolean[] = [];
    await mutex.run(() => 1).then(() => seen.push(mutex.locked));
    await mutex.run(() => Promise.reject(new Error('no'))).catch(() => seen.push(mutex.locked));
    expect(seen).toEqual([false, false]);
  });

  test('RR2: the value and the error are untouched, also when the task throws at once', async () => {
    const mutex = new Mutex();
    const [value, error] = [{}, new Error('thrown')];
    expect(await mutex.run(() => value)).toBe(value);
    const throws = () => {
      throw error;
    };
    await expect(mutex.run(throws)).rejects.toBe(error);
    expect(mutex.locked).toBe(false);
  });

  test('RR3: ends once, even if its promise calls back twice', async () => {
    const mutex = new Mutex();
    const promise = Promise.resolve('value');
    Object.defineProperty(promise, 'then', {
      value: (resolve: (value: string) => void) => {
        resolve('one');
        resolve('two');
      },
    });
    await mutex.run(() => promise);
    const first = mutex.tryAcquire();
    expect([first === undefined, mutex.tryAcquire()]).toEqual([false, undefined]);
    first?.release();
  });
});
