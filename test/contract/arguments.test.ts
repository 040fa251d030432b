import {
  AdaptiveSemaphore,
  AimdLimit,
  ConnectionPool,
  decorrelated,
  ElasticLimit,
  exponential,
  gatherSettled,
  gatherStream,
  KeyedMutex,
  littlesLaw,
  Mutex,
  RetryBudget,
  retry,
  Semaphore,
  VegasLimit,
} from 'latchkey';
import { BoundedQueue } from 'latchkey/bounded-queue';
import { monitorEventLoop } from 'latchkey/event-loop';
import { MachineMutex, MachineSemaphore } from 'latchkey/machine';
import { controlledDelay, fairShare } from 'latchkey/overload';
import { PostgresMutex, PostgresSemaphore } from 'latchkey/postgres';
import { RedisMutex, RedisSemaphore } from 'latchkey/redis';
import { RemoteMutex, RemoteSemaphore } from 'latchkey/remote-locks';
import { SingleFlight } from 'latchkey/single-flight';
import { watch } from 'latchkey/watch';
import { describe, expect, test } from 'vitest';
import { checkOptions } from '../../src/contract/arguments.js';
import { lockLikes } from '../support/lock-likes.js';

const known = { waitTimeoutMs: true, maxWaiting: true, attempts: true } as const;

const nobody = () => Promise.reject(new Error('nobody is there'));
const connector = { connect: nobody, close() {} };
const database = { connect: nobody, query: nobody };
const engine = { acquire: nobody, renew: nobody, release: nobody };

/** Everything that takes options of its own, apart from the options of a wait. */
const takers: Record<string, (options: never) => unknown> = {
  Mutex: (options) => new Mutex(options),
  KeyedMutex: (options) => new KeyedMutex(options),
  Semaphore: (options) => new Semaphore(1, options),
  AdaptiveSemaphore: (options) => new AdaptiveSemaphore(options),
  ElasticLimit: (options) => new ElasticLimit(options),
  VegasLimit: (options) => new VegasLimit(options),
  AimdLimit: (options) => new AimdLimit(options),
  littlesLaw: (options: object) => littlesLaw({ items: 1, durationMs: 1, withinMs: 1, ...options }),
  ConnectionPool: (options) => new ConnectionPool(connector, options),
  'ConnectionPool.close': (options) => new ConnectionPool(connector).close(options),
  gatherSettled: (options) => gatherSettled([], () => {}, options),
  gatherStream: (options) => gatherStream([], () => {}, options),
  retry: (options) => retry(() => {}, options),
  RetryBudget: (options) => new RetryBudget(options),
  exponential: (options) => exponential(options),
  decorrelated: (options) => decorrelated(options),
  BoundedQueue: (options: object) => new BoundedQueue({ capacity: 1, ...options }),
  SingleFlight: (options) => new SingleFlight(options),
  monitorEventLoop: (options) => monitorEventLoop(options),
  controlledDelay: (options) => controlledDelay(options),
  fairShare: (options) => fairShare(options),
  watch: (options) => watch(options),
  RemoteMutex: (options) => new RemoteMutex(engine, options),
  RemoteSemaphore: (options) => new RemoteSemaphore(engine, 1, 'name', options),
  RedisMutex: (options) => new RedisMutex(nobody, options),
  RedisSemaphore: (options: object) => new RedisSemaphore(nobody, 1, { name: 'name', ...options }),
  PostgresMutex: (options: object) => new PostgresMutex(database, { mode: 'session', ...options }),
  PostgresSemaphore: (options: object) => new PostgresSemaphore(database, 1, { name: 'name', ...options }),
  MachineMutex: (options) => new MachineMutex(options),
  MachineSemaphore: (options: object) => new MachineSemaphore(1, { name: 'name', ...options }),
};

/** Everything whose methods people take off it. */
const objects: Record<string, () => object> = {
  Mutex: () => new Mutex(),
  KeyedMutex: () => new KeyedMutex(),
  Semaphore: () => new Semaphore(1),
  AdaptiveSemaphore: () => new AdaptiveSemaphore(),
  ConnectionPool: () => new ConnectionPool(connector),
  SingleFlight: () => new SingleFlight(),
  BoundedQueue: () => new BoundedQueue({ capacity: 1 }),
  RedisMutex: () => new RedisMutex(nobody),
  RedisSemaphore: () => new RedisSemaphore(nobody, 1, { name: 'name' }),
};

/** The names of an object's methods, those of its bases included. */
function methodsOf(object: object): string[] {
  const names: string[] = [];
  for (
    let proto = Object.getPrototypeOf(object);
    proto !== Object.prototype;
    proto = Object.getPrototypeOf(proto)
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(proto))) {
      if (typeof value === 'function' && name !== 'constructor') names.push(name);
    }
  }
  return names;
}

describe('work that has begun in place of a function', () => {
  const work = async () => {};
  test.each<[string, (task: never) => Promise<unknown>]>([
    ['Mutex run', (task) => new Mutex().run(task)],
    ['KeyedMutex run', (task) => new KeyedMutex().run('key', task)],
    ['Semaphore run', (task) => new Semaphore(1).run(task)],
    ['AdaptiveSemaphore run', (task) => new AdaptiveSemaphore().run(task)],
    ['retry', (task) => retry(task)],
    ['gatherSettled', (task) => gatherSettled([1], task)],
    ['SingleFlight run', (task) => new SingleFlight().run('key', task)],
  ])('%s says what it got and what to write', async (_name, call) => {
    await expect(call(work() as never)).rejects.toThrow(
      'must be a function, got a promise; pass a function that starts the work, such as () => work()',
    );
  });
});

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

  test.each(Object.entries(takers))('%s refuses them', async (_name, take) => {
    await expect((async () => take({ noSuchOption: 1 } as never))()).rejects.toThrow(
      'unknown option "noSuchOption"',
    );
  });
});

describe.each(Object.entries(objects))('%s', (_name, make) => {
  const object = make();
  const methods = methodsOf(object);

  test('has methods', () => expect(methods.length).toBeGreaterThan(1));

  test.each(methods)('%s says that it was called without its object, or on another one', async (method) => {
    const taken = Reflect.get(object, method) as (...args: unknown[]) => unknown;
    // An emitter calls its listeners on itself.
    for (const receiver of [undefined, new EventTarget(), null, 5]) {
      const call = () => taken.call(receiver, 'key', () => {}, {});
      await expect((async () => call())()).rejects.toThrow(
        /^a method of .* was called without its object; call it as object.method\(\)/,
      );
    }
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
