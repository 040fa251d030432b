import {
  ClosedError,
  constant,
  decorrelated,
  exponential,
  gatherSettled,
  RetryBudget,
  retry,
  Semaphore,
} from 'latchkey';
import { claim, equal, ok, pause, rejection, rejectsWithCode } from './check.js';

const atOnce = constant(0);

export const gatherAndRetry = [
  claim('gather: every failure has its item, and the results are in order', async () => {
    const gathered = await gatherSettled([3, 1, 2], async (n) => {
      await pause(n);
      if (n === 1) throw new Error('one');
      return n * 10;
    });
    equal(gathered.values, [30, 20]);
    equal([gathered.total, gathered.succeeded, gathered.failed, gathered.skipped], [3, 2, 1, 0]);
    equal(
      gathered.results.map(({ status, index, item }) => [status, index, item]),
      [
        ['fulfilled', 0, 3],
        ['rejected', 1, 1],
        ['fulfilled', 2, 2],
      ],
    );
    equal([gathered.errors.length, gathered.errors[0]?.item], [1, 1]);
    const thrown = (await rejection(
      Promise.resolve().then(() => gathered.valuesOrThrow()),
    )) as AggregateError;
    equal([thrown.name, thrown.errors.length], ['AggregateError', 1]);
  }),

  claim('gather: an async source is pulled only as fast as workers become free', async () => {
    let pulled = 0;
    let done = 0;
    let ahead = 0;
    async function* source() {
      while (pulled < 50) yield pulled++;
    }
    await gatherSettled(
      source(),
      async () => {
        ahead = Math.max(ahead, pulled - done);
        await pause(0);
        done++;
      },
      { concurrency: 4 },
    );
    equal(done, 50);
    ok(ahead <= 5, `${ahead} items were pulled ahead`);
  }),

  claim('gather: an endless source is safe, and closed by stopWhen', async () => {
    let closed = false;
    function* endless() {
      try {
        for (let n = 0; ; n++) yield n;
      } finally {
        closed = true;
      }
    }
    const gathered = await gatherSettled(endless(), (n) => n, {
      concurrency: 2,
      stopWhen: ({ succeeded }) => succeeded >= 10,
    });
    ok(closed && gathered.succeeded >= 10, `closed ${closed}, ${gathered.succeeded} succeeded`);
  }),

  claim(
    "gather: an abort reaches the workers, waits for them, and rejects with the signal's reason",
    async () => {
      const controller = new AbortController();
      let told = 0;
      const run = gatherSettled(
        [1, 2, 3, 4],
        (_item, { signal }) =>
          new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => {
              told++;
              resolve();
            });
          }),
        { concurrency: 2, signal: controller.signal },
      );
      await pause(1);
      controller.abort('stop');
      equal(await rejection(run), 'stop');
      equal(told, 2);
    },
  ),

  claim('gather: a limiter that is shared with other callers decides', async () => {
    const limiter = new Semaphore(2);
    let most = 0;
    const worker = async () => {
      most = Math.max(most, limiter.held);
      await pause(0);
    };
    await Promise.all([
      gatherSettled([1, 2, 3], worker, { limiter }),
      gatherSettled([4, 5], worker, { limiter }),
    ]);
    equal([most, limiter.held], [2, 0]);
  }),

  claim('retry: tries again, calls onRetry, and resolves with the value of the last attempt', async () => {
    const told: number[] = [];
    const value = await retry(
      ({ attempt }) => {
        if (attempt < 3) throw new Error(`attempt ${attempt}`);
        return attempt;
      },
      { backoff: atOnce, onRetry: ({ attempt }) => told.push(attempt) },
    );
    equal([value, told], [3, [1, 2]]);
  }),

  claim("retry: rejects with the last attempt's own error", async () => {
    const errors = [new Error('first'), new Error('second')];
    const failing = retry(({ attempt }) => Promise.reject(errors[attempt - 1]), {
      attempts: 2,
      backoff: atOnce,
    });
    equal(await rejection(failing), errors[1]);
  }),

  claim('retry: an abort during the pause ends it at once', async () => {
    const controller = new AbortController();
    const startedMs = performance.now();
    const running = retry(() => Promise.reject(new Error('again')), {
      backoff: constant(60_000),
      signal: controller.signal,
    });
    await pause(1);
    controller.abort('enough');
    equal(await rejection(running), 'enough');
    ok(performance.now() - startedMs < 10_000, 'it waited for the pause');
  }),

  claim('retry: an attempt that takes too long is aborted and not waited for', async () => {
    let told = false;
    const hangs = ({ signal }: { signal: AbortSignal }) => {
      signal.addEventListener('abort', () => {
        told = true;
      });
      return new Promise(() => {});
    };
    await rejectsWithCode(retry(hangs, { attempts: 1, attemptTimeoutMs: 2 }), 'ERR_ATTEMPT_TIMEOUT');
    equal(told, true);
    await rejectsWithCode(retry(hangs, { totalTimeoutMs: 2 }), 'ERR_ATTEMPT_TIMEOUT');
  }),

  claim('retry: an ERR_CLOSED, and an error that shouldRetry refuses, is not retried', async () => {
    let attempts = 0;
    const closed = () => {
      attempts++;
      throw new ClosedError('the shop');
    };
    await rejectsWithCode(retry(closed, { backoff: atOnce }), 'ERR_CLOSED');
    await rejection(retry(() => Promise.reject(new Error(`${++attempts}`)), { shouldRetry: () => false }));
    equal(attempts, 2);
  }),

  claim('retry: a pause that the server asks for wins over the backoff', async () => {
    const delays: number[] = [];
    await rejection(
      retry(() => Promise.reject(new Error('busy')), {
        attempts: 2,
        backoff: constant(60_000),
        retryAfterMs: () => 1,
        onRetry: ({ delayMs }) => delays.push(delayMs),
      }),
    );
    // A little more is waited, so that many clients do not come back at once.
    ok(delays.length === 1 && delays[0]! >= 1 && delays[0]! < 2, `delays: ${delays}`);
  }),

  claim('retry: without a budget left there is one attempt', async () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0 });
    let attempts = 0;
    await rejection(retry(() => Promise.reject(new Error(`${++attempts}`)), { backoff: atOnce, budget }));
    equal(attempts, 1);
  }),

  claim('backoff: delays follow their formulas', () => {
    const random = () => 0.5;
    const plain = exponential({ initialMs: 100, maxMs: 350, jitter: 'none' });
    equal(
      [1, 2, 3, 4].map((attempt) => plain(attempt, 0, random)),
      [100, 200, 350, 350],
    );
    equal(exponential({ initialMs: 100, jitter: 'full' })(1, 0, random), 50);
    equal(exponential({ initialMs: 100, jitter: 'equal' })(1, 0, random), 75);
    const spread = decorrelated({ initialMs: 100, maxMs: 1_000 })(2, 100, random);
    ok(spread >= 100 && spread <= 1_000, `the delay is ${spread}`);
  }),
];
