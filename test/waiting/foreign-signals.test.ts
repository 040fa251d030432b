/** Signals that are not Node's: of polyfills, and of platforms without a reason. */
import { AbortController as AzureAbortController } from '@azure/abort-controller';
import {
  AdaptiveSemaphore,
  AimdLimit,
  ConnectionPool,
  gatherSettled,
  gatherStream,
  KeyedMutex,
  Mutex,
  retry,
  Semaphore,
} from 'latchkey';
import { BoundedQueue } from 'latchkey/bounded-queue';
import { getOrCreate, lockedTransaction, retryTransaction, updateVersioned } from 'latchkey/postgres';
import { RedisMutex } from 'latchkey/redis';
import { SingleFlight } from 'latchkey/single-flight';
import { AbortController as PolyfilledAbortController } from 'node-abort-controller';
import { describe, expect, test } from 'vitest';

const controllers: Record<string, new () => { signal: unknown; abort(): void }> = {
  'node-abort-controller': PolyfilledAbortController as never,
  '@azure/abort-controller': AzureAbortController as never,
};

describe.each(Object.entries(controllers))('a signal of %s', (_name, Controller) => {
  test('AL2, AL3: ends a wait with an AbortError, and loses no permit', async () => {
    const mutex = new Mutex();
    const permit = mutex.tryAcquire();
    const controller = new Controller();
    const waits = mutex.run(() => 'never', { signal: controller.signal as AbortSignal });
    const next = mutex.run(() => 'next');
    controller.abort();
    // A polyfill's own reason is passed on as it is.
    await expect(waits).rejects.toSatisfy((reason) => String(reason).includes('AbortError'));
    permit?.release();
    expect(await next).toBe('next');
  });

  test('AL2: that never aborts changes nothing', async () => {
    const semaphore = new Semaphore(1);
    const permit = semaphore.tryAcquire();
    const waits = semaphore.run(() => 'served', { signal: new Controller().signal as AbortSignal });
    permit?.release();
    expect(await waits).toBe('served');
  });
});

/** The signal of React Native before 0.77, and of old polyfills: no reason, no `throwIfAborted`. */
class BareSignal {
  readonly #listeners = new Set<(event: object) => void>();
  aborted = false;
  addEventListener(_type: string, listener: (event: object) => void) {
    this.#listeners.add(listener);
  }
  removeEventListener(_type: string, listener: (event: object) => void) {
    this.#listeners.delete(listener);
  }
  abort() {
    this.aborted = true;
    for (const listener of [...this.#listeners]) listener({ type: 'abort' });
  }
}

const never = () => new Promise<never>(() => {});
const fails = () => Promise.reject(new Error('down'));
const untilAborted = (_item: unknown, { signal }: { signal: AbortSignal }) =>
  new Promise((resolve) => signal.addEventListener('abort', resolve));
const client = { query: never, on() {}, off() {}, release() {} };

/** Everything that takes a signal. Each call pends until its signal aborts. */
const calls: Record<string, (options: { signal: AbortSignal }) => Promise<unknown>> = {
  'Mutex.acquire': (options) => {
    const mutex = new Mutex();
    mutex.tryAcquire();
    return mutex.acquire(options);
  },
  'Mutex.idle': (options) => {
    const mutex = new Mutex();
    mutex.tryAcquire();
    return mutex.idle(options);
  },
  'KeyedMutex.runAll': (options) => {
    const mutex = new KeyedMutex();
    mutex.tryAcquire('a');
    return mutex.runAll(['a', 'b'], never, options);
  },
  'Semaphore.run': (options) => new Semaphore(0).run(never, options),
  'AdaptiveSemaphore.run': (options) => {
    const semaphore = new AdaptiveSemaphore({ algorithm: new AimdLimit({ max: 1 }) });
    semaphore.tryAcquire();
    return semaphore.run(never, options);
  },
  'ConnectionPool.acquire': (options) => new ConnectionPool({ connect: never, close() {} }).acquire(options),
  'SingleFlight.run': (options) => new SingleFlight().run('key', never, options),
  'BoundedQueue.take': (options) => new BoundedQueue({ capacity: 1 }).take(1, options),
  'RedisMutex.acquire': (options) => new RedisMutex(never).acquire('key', options),
  'retry, an attempt': (options) => retry(never, options),
  'retry, a pause': (options) => retry(fails, { ...options, backoff: () => 60_000 }),
  'retry, shouldRetry': (options) => retry(fails, { ...options, shouldRetry: never }),
  gatherSettled: (options) => gatherSettled([1], untilAborted, options),
  gatherStream: async (options) => {
    for await (const _ of gatherStream([1], untilAborted, options));
  },
  'retryTransaction, a connection': (options) =>
    retryTransaction({ connect: never, query: never }, never, options),
  'retryTransaction, a query': (options) =>
    retryTransaction({ connect: async () => client, query: never }, never, options),
  lockedTransaction: (options) => lockedTransaction({ connect: never, query: never }, 'key', never, options),
  getOrCreate: (options) => getOrCreate({ find: never, create: never, isConflict: () => false }, options),
  updateVersioned: (options) => updateVersioned({ read: never, change: never, write: never }, options),
};

describe.each(Object.entries(calls))('%s with a signal that has no reason', (_name, call) => {
  test.each(['before', 'after'])('AL3: aborted %s the call, it rejects with an AbortError', async (when) => {
    const signal = new BareSignal();
    if (when === 'before') signal.abort();
    const ended = call({ signal: signal as never });
    if (when === 'after') setImmediate(() => signal.abort());
    await expect(ended).rejects.toMatchObject({ name: 'AbortError' });
  });
});
