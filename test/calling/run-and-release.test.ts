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

  const twice = (resolve: (value: string) => void) => {
    resolve('one');
    resolve('two');
  };
  class Other<T> extends Promise<T> {}
  const answers: [string, object][] = [
    ['a promise', Promise.resolve('value')],
    ['a promise of another class', Other.resolve('value')],
    ['an object', {}],
  ];
  test.each(answers)('RR3: ends once, even if its answer is %s that calls back twice', async (_, answer) => {
    Object.defineProperty(answer, 'then', { value: twice });
    const mutex = new Mutex();
    await mutex.run(() => answer);
    const first = mutex.tryAcquire();
    expect([first === undefined, mutex.tryAcquire()]).toEqual([false, undefined]);
    first?.release();
  });

  test('a promise of another class is followed by a plain promise', async () => {
    const run = new Mutex().run(() => Other.resolve('value'));
    expect([run.constructor, await run]).toEqual([Promise, 'value']);
  });

  test('an object that only inherits from Promise is an error, and what was held is free', async () => {
    const mutex = new Mutex();
    const run = mutex.run(() => Object.create(Promise.prototype) as Promise<void>);
    await expect(run).rejects.toThrow(TypeError);
    expect(mutex.locked).toBe(false);
  });
});
