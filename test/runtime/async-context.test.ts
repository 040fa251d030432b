import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AsyncContext, rootContext } from '../../src/runtime/async-context.js';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

describe('context', () => {
  const storage = new AsyncLocalStorage<string>();

  test('code runs in the context in which the object was made, with its arguments and its result', () => {
    const context = storage.run('maker', () => new AsyncContext());
    const result = storage.run('caller', () =>
      context.run((a: number, b: number) => [storage.getStore(), a + b], 1, 2),
    );
    expect(result).toEqual(['maker', 3]);
  });

  test('the root context belongs to no caller', () => {
    expect(storage.run('caller', () => rootContext.run(() => storage.getStore()))).toBeUndefined();
  });

  test('an error of the code passes through untouched', () => {
    const error = new Error('no');
    const boom = () => {
      throw error;
    };
    expect(() => new AsyncContext().run(boom)).toThrow(error);
  });

  test.each([
    ['no process', undefined],
    ['a process without getBuiltinModule', {}],
    ['a process without the module', { getBuiltinModule: () => undefined }],
  ])('in %s it is a plain call', async (_what, process) => {
    vi.resetModules();
    vi.stubGlobal('process', process);
    const bare = await import('../../src/runtime/async-context.js');
    vi.unstubAllGlobals();
    const seen = storage.run('maker', () => new bare.AsyncContext());
    expect(storage.run('caller', () => seen.run((value: number) => [storage.getStore(), value], 5))).toEqual([
      'caller',
      5,
    ]);
  });
});
