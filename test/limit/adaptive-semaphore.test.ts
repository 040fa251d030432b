import { AsyncLocalStorage } from 'node:async_hooks';
import {
  AdaptiveSemaphore,
  classifyOutcome,
  type LimitAlgorithm,
  type LimitSample,
  type Outcome,
} from 'latchkey';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { drained, watch } from '../support/lock-likes.js';

/** An algorithm whose limit the test sets, and which records its samples. */
class ScriptedLimit implements LimitAlgorithm {
  limit: number;
  readonly samples: LimitSample[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  onSample(sample: LimitSample): void {
    this.samples.push(sample);
  }
}

/** An error as the cause of a chain of `depth` others. */
function nested(depth: number, innermost: object): object {
  return depth === 0 ? innermost : { cause: nested(depth - 1, innermost) };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'], now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('adaptive semaphore', () => {
  test('AS3: the duration of a sample is that of the work, without the time in our own queue', async () => {
    const algorithm = new ScriptedLimit(1);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    const first = await semaphore.acquire();
    const second = semaphore.acquire();
    vi.advanceTimersByTime(70);
    first.release();
    const permit = await second;
    vi.advanceTimersByTime(30);
    permit.release('overload');
    expect(algorithm.samples).toEqual([
      { nowMs: 1_000_070, durationMs: 70, held: 1, limit: 1, outcome: 'success' },
      { nowMs: 1_000_100, durationMs: 30, held: 1, limit: 1, outcome: 'overload' },
    ]);
  });

  test('AS2: an ignored permit is given back without a sample', async () => {
    const algorithm = new ScriptedLimit(1);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    (await semaphore.acquire()).release('ignore');
    {
      using permit = await semaphore.acquire();
      expect(permit.released).toBe(false);
    }
    expect([semaphore.held, algorithm.samples.length]).toEqual([0, 0]);
  });

  test('AS1: the limit follows the algorithm: raising it grants waiters, lowering it interrupts no holder', async () => {
    const algorithm = new ScriptedLimit(1);
    const changes: { from: number; to: number }[] = [];
    const semaphore = new AdaptiveSemaphore({ algorithm, onLimitChange: (change) => changes.push(change) });
    const first = await semaphore.acquire();
    const waiters = [watch(semaphore.acquire()), watch(semaphore.acquire())];
    algorithm.limit = 3;
    first.release();
    await drained();
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
    algorithm.limit = 1;
    waiters[0]?.value?.release();
    expect([semaphore.limit, semaphore.held]).toEqual([1, 1]);
    expect(semaphore.tryAcquire()).toBeUndefined();
    expect(changes).toEqual([
      { from: 1, to: 3 },
      { from: 3, to: 1 },
    ]);
  });

  test('AS1: a limit lowered by a sample is in force before the permit of that sample is passed on', async () => {
    const algorithm = new ScriptedLimit(2);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    const [first] = [await semaphore.acquire(), await semaphore.acquire()];
    const waiter = watch(semaphore.acquire());
    algorithm.limit = 1;
    first.release();
    await drained();
    expect(waiter.state).toBe('pending');
  });

  test('AS1: an algorithm that throws, or whose limit is not a limit, leaves the limit as it is', async () => {
    const algorithm = new ScriptedLimit(2);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    algorithm.limit = Number.NaN;
    await expect(semaphore.run(() => 'value')).resolves.toBe('value');
    algorithm.onSample = () => {
      throw new Error('broken');
    };
    await expect(semaphore.run(() => 'value')).resolves.toBe('value');
    expect(semaphore.stats()).toMatchObject({ limit: 2, held: 0 });
  });

  test('AS1: a listener that throws stops neither the new limit nor the next change', async () => {
    const algorithm = new ScriptedLimit(1);
    const seen: number[] = [];
    const onLimitChange = ({ to }: { to: number }) => {
      seen.push(to);
      throw new Error('a bug in the listener');
    };
    const semaphore = new AdaptiveSemaphore({ algorithm, onLimitChange });
    for (const limit of [2, 3]) {
      algorithm.limit = limit;
      await expect(semaphore.run(() => 'value')).resolves.toBe('value');
      expect([semaphore.limit, semaphore.held]).toEqual([limit, 0]);
    }
    const permits = [1, 2, 3].map(() => semaphore.tryAcquire());
    expect([permits.every(Boolean), seen]).toEqual([true, [2, 3]]);
  });

  test('AS1: the listener is not called while the limit stays', async () => {
    const onLimitChange = vi.fn();
    const semaphore = new AdaptiveSemaphore({ algorithm: new ScriptedLimit(2), onLimitChange });
    await semaphore.run(() => 1);
    expect(onLimitChange).not.toHaveBeenCalled();
  });

  test('AS4: a task that its caller aborted is ignored, for every reason of an abort', async () => {
    const algorithm = new ScriptedLimit(5);
    const classify = vi.fn((): Outcome => 'overload');
    const semaphore = new AdaptiveSemaphore({ algorithm, classify });
    const controller = new AbortController();
    const { signal } = controller;
    const cut = semaphore.run(
      () => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      { signal },
    );
    await drained();
    controller.abort('enough');
    await expect(cut).rejects.toBe('enough');
    expect([algorithm.samples.length, classify.mock.calls.length, semaphore.held]).toEqual([0, 0, 0]);
    const other = new AbortController();
    const failing = () => {
      other.abort('enough');
      return Promise.reject('another error');
    };
    await expect(semaphore.run(failing, { signal: other.signal })).rejects.toBe('another error');
    expect(algorithm.samples.map(({ outcome }) => outcome)).toEqual(['overload']);
    // As good as the reason of a signal that has not aborted.
    const { signal: unused } = new AbortController();
    await expect(semaphore.run(() => Promise.reject(undefined), { signal: unused })).rejects.toBe(undefined);
    expect(classify).toHaveBeenCalledTimes(2);
  });

  test('AS3: a sample holds the counts and the limit at the grant, and the wall clock at the end', async () => {
    const algorithm = new ScriptedLimit(3);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    const [first, second] = [semaphore.tryAcquire(), semaphore.tryAcquire()];
    vi.advanceTimersByTime(40);
    algorithm.limit = 9;
    second?.release();
    first?.release('overload');
    expect(algorithm.samples).toEqual([
      { nowMs: 1_000_040, durationMs: 40, held: 2, limit: 3, outcome: 'success' },
      { nowMs: 1_000_040, durationMs: 40, held: 1, limit: 3, outcome: 'overload' },
    ]);
  });

  test('AS2: a classifier that throws, or returns no outcome, means ignore', async () => {
    const algorithm = new ScriptedLimit(3);
    const bad = [
      () => 'dropped' as Outcome,
      () => {
        throw new Error('a bug in the classifier');
      },
    ];
    for (const classify of bad) {
      const semaphore = new AdaptiveSemaphore({ algorithm, classify });
      await expect(semaphore.run(() => 'value')).resolves.toBe('value');
      expect(semaphore.held).toBe(0);
    }
    expect(algorithm.samples).toEqual([]);
  });

  test('AS5: a pause holds back new and waiting callers, and ends for all of them', async () => {
    const semaphore = new AdaptiveSemaphore({ algorithm: new ScriptedLimit(1) });
    const holder = await semaphore.acquire();
    const waiting = watch(semaphore.acquire());
    semaphore.pauseFor(1_000);
    holder.release();
    const newcomer = watch(semaphore.run(() => 'value'));
    await drained();
    expect([waiting.state, newcomer.state, semaphore.held, semaphore.limit]).toEqual([
      'pending',
      'pending',
      0,
      1,
    ]);
    expect(semaphore.tryAcquire()).toBeUndefined();
    expect(semaphore.stats()).toMatchObject({ limit: 1, paused: true, waiting: 2 });
    vi.advanceTimersByTime(999);
    await drained();
    expect(waiting.state).toBe('pending');
    vi.advanceTimersByTime(1);
    await drained();
    expect([waiting.state, semaphore.stats().paused]).toEqual(['fulfilled', false]);
    waiting.value?.release();
    await drained();
    expect([newcomer.value, vi.getTimerCount()]).toEqual(['value', 0]);
  });

  test('AS5: a shorter pause does not shorten a longer one; a longer one lengthens it', async () => {
    const semaphore = new AdaptiveSemaphore({ algorithm: new ScriptedLimit(1) });
    const waiting = () => watch(semaphore.acquire());
    semaphore.pauseFor(100);
    semaphore.pauseFor(0);
    const first = waiting();
    semaphore.pauseFor(50);
    vi.advanceTimersByTime(99);
    await drained();
    expect(first.state).toBe('pending');
    semaphore.pauseFor(100);
    vi.advanceTimersByTime(99);
    await drained();
    expect(first.state).toBe('pending');
    vi.advanceTimersByTime(1);
    await drained();
    expect(first.state).toBe('fulfilled');
  });

  test('AS5: a pause that no caller waits for has no timer, and ends on time', async () => {
    const semaphore = new AdaptiveSemaphore({ algorithm: new ScriptedLimit(1) });
    semaphore.pauseFor(100);
    expect([vi.getTimerCount(), semaphore.tryAcquire()]).toEqual([0, undefined]);
    vi.advanceTimersByTime(100);
    const permit = semaphore.tryAcquire();
    expect(permit?.released).toBe(false);
    permit?.release();
    await expect(semaphore.run(() => 'value')).resolves.toBe('value');
    semaphore.pauseFor(100);
    const waiting = watch(semaphore.acquire());
    expect(vi.getTimerCount()).toBe(1);
    semaphore.close();
    await drained();
    expect([waiting.reason, vi.getTimerCount()]).toMatchObject([{ code: 'ERR_CLOSED' }, 0]);
  });

  test('AS5: the last waiter that gives up takes the timer away; the next one brings it back', async () => {
    const semaphore = new AdaptiveSemaphore({ algorithm: new ScriptedLimit(1) });
    semaphore.pauseFor(100);
    const controller = new AbortController();
    const first = watch(semaphore.acquire({ signal: controller.signal }));
    const second = watch(semaphore.acquire({ waitTimeoutMs: 20 }));
    controller.abort();
    await drained();
    expect([first.state, vi.getTimerCount()]).toEqual(['rejected', 2]);
    vi.advanceTimersByTime(20);
    await drained();
    expect([second.state, vi.getTimerCount()]).toEqual(['rejected', 0]);
    const third = watch(semaphore.acquire());
    vi.advanceTimersByTime(79);
    await drained();
    expect(third.state).toBe('pending');
    vi.advanceTimersByTime(1);
    await drained();
    expect(third.state).toBe('fulfilled');
  });

  test('AS5: after a pause for which no caller waited, a permit is granted at once', async () => {
    const semaphore = new AdaptiveSemaphore({ algorithm: new ScriptedLimit(1) });
    semaphore.pauseFor(100);
    vi.advanceTimersByTime(100);
    const permit = watch(semaphore.acquire());
    await drained();
    expect([permit.state, vi.getTimerCount()]).toEqual(['fulfilled', 0]);
  });

  test('AS5: a pause whose time is over when its timer is late ends once, and leaves no timer', async () => {
    const semaphore = new AdaptiveSemaphore({ algorithm: new ScriptedLimit(2) });
    semaphore.pauseFor(100);
    const waiting = watch(semaphore.acquire());
    const lateMs = performance.now() + 150;
    const clock = vi.spyOn(performance, 'now').mockReturnValue(lateMs);
    expect(semaphore.tryAcquire()?.released).toBe(false);
    await drained();
    expect([waiting.state, vi.getTimerCount()]).toEqual(['fulfilled', 0]);
    clock.mockRestore();
  });

  test('the end of a pause keeps the context of no caller', () => {
    const storage = new AsyncLocalStorage<string>();
    const contexts: unknown[] = [];
    const semaphore = new AdaptiveSemaphore({ algorithm: new ScriptedLimit(1) });
    semaphore.pauseFor(100);
    const own = setTimeout;
    vi.stubGlobal('setTimeout', (fire: () => void, ms: number) => {
      contexts.push(storage.getStore());
      return own(fire, ms);
    });
    void storage.run('a request', () => semaphore.run(() => {}));
    vi.unstubAllGlobals();
    expect(contexts).toEqual([undefined]);
  });

  test('AS5: a limit that changes during a pause is in force after it, and a waiter may give up', async () => {
    const algorithm = new ScriptedLimit(1);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    const holder = await semaphore.acquire();
    semaphore.pauseFor(100);
    algorithm.limit = 2;
    holder.release();
    const waiters = [1, 2, 3].map(() => watch(semaphore.acquire()));
    await drained();
    expect(waiters.map(({ state }) => state)).toEqual(['pending', 'pending', 'pending']);
    const impatient = watch(semaphore.acquire({ waitTimeoutMs: 10 }));
    vi.advanceTimersByTime(10);
    await drained();
    expect([semaphore.limit, impatient.reason]).toMatchObject([2, { code: 'ERR_WAIT_TIMEOUT' }]);
    vi.advanceTimersByTime(90);
    await drained();
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'pending']);
  });

  test.each([-1, Number.NaN, Infinity, '5'])('pauseFor(%s) is refused by name', (ms) => {
    expect(() => new AdaptiveSemaphore().pauseFor(ms as number)).toThrow('ms must be');
  });

  test('AS1: an algorithm whose limit is 0 leaves the limit as it is', async () => {
    const algorithm = new ScriptedLimit(2);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    algorithm.limit = 0;
    await semaphore.run(() => 'value');
    expect([semaphore.limit, semaphore.tryAcquire()?.released]).toEqual([2, false]);
  });

  test('stats hold the counts and the figures of the algorithm; close and idle are those of a semaphore', async () => {
    const algorithm = Object.assign(new ScriptedLimit(1), { snapshot: () => ({ phase: 'scripted' }) });
    const semaphore = new AdaptiveSemaphore({ algorithm, maxWaiting: 1 });
    const permit = await semaphore.acquire();
    const waiter = watch(semaphore.acquire());
    await expect(semaphore.run(() => 1)).rejects.toMatchObject({ code: 'ERR_QUEUE_FULL' });
    expect(semaphore.stats()).toMatchObject({
      limit: 1,
      held: 1,
      waiting: 1,
      algorithm: { phase: 'scripted' },
    });
    expect(semaphore.waiting).toBe(1);
    const idle = watch(semaphore.idle());
    semaphore.close();
    await drained();
    expect([waiter.reason, idle.state]).toMatchObject([{ code: 'ERR_CLOSED' }, 'pending']);
    expect(() => semaphore.tryAcquire()).toThrow('closed');
    permit.release();
    await drained();
    expect([permit.released, idle.state]).toEqual([true, 'fulfilled']);
    expect(new AdaptiveSemaphore({ algorithm: new ScriptedLimit(1) }).stats().algorithm).toEqual({});
  });

  test('an unknown option is refused by name', () => {
    expect(() => new AdaptiveSemaphore({ onLimitChanged: () => {} } as object)).toThrow(
      'did you mean onLimitChange?',
    );
  });

  test('classify decides the outcome of run, from values as well as from errors', async () => {
    const algorithm = new ScriptedLimit(5);
    const seen: PromiseSettledResult<unknown>[] = [];
    const outcomes: Outcome[] = ['overload', 'ignore', 'success'];
    const semaphore = new AdaptiveSemaphore({
      algorithm,
      classify: (result) => {
        seen.push(result);
        return outcomes[seen.length - 1] ?? 'ignore';
      },
    });
    const error = new Error('no');
    await semaphore.run(() => 1);
    await expect(semaphore.run(() => Promise.reject(error))).rejects.toBe(error);
    await expect(
      semaphore.run(() => {
        throw error;
      }),
    ).rejects.toBe(error);
    expect(seen).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
    ]);
    expect(algorithm.samples.map(({ outcome }) => outcome)).toEqual(['overload', 'success']);
  });

  test('a caller that gives up before its turn gives no sample', async () => {
    const algorithm = new ScriptedLimit(1);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    const holder = await semaphore.acquire();
    const waiter = watch(semaphore.run(() => {}, { waitTimeoutMs: 10 }));
    vi.advanceTimersByTime(10);
    await drained();
    expect(waiter.reason).toMatchObject({ code: 'ERR_WAIT_TIMEOUT' });
    holder.release('ignore');
    expect(algorithm.samples).toEqual([]);
  });

  test('AS2: a permit that is released again while its sample is taken has one outcome', async () => {
    const algorithm = new ScriptedLimit(5);
    const semaphore = new AdaptiveSemaphore({ algorithm });
    const permit = await semaphore.acquire();
    algorithm.onSample = (sample) => {
      if (algorithm.samples.push(sample) < 5) permit.release('overload');
    };
    permit.release();
    expect(algorithm.samples.map(({ outcome }) => outcome)).toEqual(['success']);
    expect(semaphore.held).toBe(0);
  });

  test('an error that is its own cause is classified', () => {
    const error = new Error('a circle');
    error.cause = error;
    expect(classifyOutcome({ status: 'rejected', reason: error })).toBe('success');
  });

  test('an unknown outcome is refused by name, and the permit is given back', async () => {
    const semaphore = new AdaptiveSemaphore();
    const permit = await semaphore.acquire();
    expect(() => permit.release('dropped' as never)).toThrow(
      new TypeError(`outcome must be 'success', 'overload' or 'ignore', got "dropped"`),
    );
    expect(semaphore.held).toBe(0);
  });

  test.each([
    ['a value', { status: 'fulfilled', value: 5 }, 'success'],
    ['a Response with status 200', { status: 'fulfilled', value: new Response('') }, 'success'],
    [
      'a Response with status 404',
      { status: 'fulfilled', value: new Response('', { status: 404 }) },
      'success',
    ],
    [
      'a Response with status 503',
      { status: 'fulfilled', value: new Response('', { status: 503 }) },
      'overload',
    ],
    ['a response with status 429', { status: 'fulfilled', value: { status: 429, headers: {} } }, 'overload'],
    [
      'an IncomingMessage with statusCode 429',
      { status: 'fulfilled', value: { statusCode: 429, headers: {} } },
      'overload',
    ],
    ['a row with the status 503', { status: 'fulfilled', value: { id: 7, status: 503 } }, 'success'],
    ['a row with a statusCode', { status: 'fulfilled', value: { statusCode: 429 } }, 'success'],
    [
      'a row with headers that are a text',
      { status: 'fulfilled', value: { status: 503, headers: '' } },
      'success',
    ],
    [
      'a row with headers that are null',
      { status: 'fulfilled', value: { status: 503, headers: null } },
      'success',
    ],
    ['nothing', { status: 'fulfilled', value: undefined }, 'success'],
    ['an error with statusCode 503', { status: 'rejected', reason: { statusCode: 503 } }, 'overload'],
    ['an error with status 500', { status: 'rejected', reason: { status: 500 } }, 'success'],
    ['ECONNRESET', { status: 'rejected', reason: { code: 'ECONNRESET' } }, 'overload'],
    ['EPIPE', { status: 'rejected', reason: { code: 'EPIPE' } }, 'overload'],
    ['ETIMEDOUT', { status: 'rejected', reason: { code: 'ETIMEDOUT' } }, 'overload'],
    [
      'UND_ERR_CONNECT_TIMEOUT',
      { status: 'rejected', reason: { code: 'UND_ERR_CONNECT_TIMEOUT' } },
      'overload',
    ],
    [
      'UND_ERR_HEADERS_TIMEOUT',
      { status: 'rejected', reason: { code: 'UND_ERR_HEADERS_TIMEOUT' } },
      'overload',
    ],
    ['UND_ERR_BODY_TIMEOUT', { status: 'rejected', reason: { code: 'UND_ERR_BODY_TIMEOUT' } }, 'overload'],
    ['our own full queue', { status: 'rejected', reason: { code: 'ERR_QUEUE_FULL' } }, 'overload'],
    ['a failed connect', { status: 'rejected', reason: { code: 'ERR_CONNECT' } }, 'overload'],
    ['our own attempt timeout', { status: 'rejected', reason: { code: 'ERR_ATTEMPT_TIMEOUT' } }, 'overload'],
    [
      'an abort that has a cause',
      { status: 'rejected', reason: { name: 'AbortError', cause: { status: 503 } } },
      'ignore',
    ],
    ['a text', { status: 'rejected', reason: 'ECONNRESET' }, 'success'],
    ['the fifth cause', { status: 'rejected', reason: nested(4, { code: 'ECONNRESET' }) }, 'overload'],
    ['the sixth cause', { status: 'rejected', reason: nested(5, { code: 'ECONNRESET' }) }, 'success'],
    ['an error with status 429', { status: 'rejected', reason: { status: 429 } }, 'overload'],
    ['ECONNREFUSED', { status: 'rejected', reason: { code: 'ECONNREFUSED' } }, 'overload'],
    [
      'the error of fetch for ECONNRESET',
      {
        status: 'rejected',
        reason: new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNRESET' }) }),
      },
      'overload',
    ],
    ['a timeout signal', { status: 'rejected', reason: new DOMException('', 'TimeoutError') }, 'overload'],
    ['our own wait timeout', { status: 'rejected', reason: { code: 'ERR_WAIT_TIMEOUT' } }, 'overload'],
    ['an abort', { status: 'rejected', reason: new DOMException('', 'AbortError') }, 'ignore'],
    ['a business error', { status: 'rejected', reason: new Error('not found') }, 'success'],
    ['null', { status: 'rejected', reason: null }, 'success'],
  ] as const)('by default %s is classified', (_name, result, outcome) => {
    expect(classifyOutcome(result as PromiseSettledResult<unknown>)).toBe(outcome);
  });
});
