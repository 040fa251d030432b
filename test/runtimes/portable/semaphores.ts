import { AdaptiveSemaphore, AimdLimit, ElasticLimit, littlesLaw, Semaphore, VegasLimit } from 'latchkey';
import { claim, equal, ok, pause, rejection, rejectsWithCode, throwsNamed } from './check.js';

export const semaphores = [
  claim(
    'semaphore: of a thousand tasks never more than the limit run at once, and all of them run',
    async () => {
      const semaphore = new Semaphore(7);
      let running = 0;
      let most = 0;
      let done = 0;
      const tasks = Array.from({ length: 1_000 }, () =>
        semaphore.run(async () => {
          most = Math.max(most, ++running);
          await Promise.resolve();
          running--;
          done++;
        }),
      );
      await Promise.all(tasks);
      equal([most, done, semaphore.held, semaphore.waiting], [7, 1_000, 0, 0]);
    },
  ),

  claim('semaphore: a heavy waiter at the head is not overtaken by light ones', async () => {
    const semaphore = new Semaphore(3);
    const holder = await semaphore.acquire({ weight: 2 });
    const order: string[] = [];
    const heavy = semaphore.run(() => void order.push('heavy'), { weight: 3 });
    const light = semaphore.run(() => void order.push('light'));
    equal([semaphore.waiting, semaphore.tryAcquire()], [2, undefined]);
    holder.release();
    await Promise.all([heavy, light]);
    equal(order, ['heavy', 'light']);
    await rejection(semaphore.acquire({ weight: 4 }));
  }),

  claim('semaphore: a higher limit grants waiters, a lower one interrupts no holder', async () => {
    const semaphore = new Semaphore(1);
    const first = await semaphore.acquire();
    const second = semaphore.acquire();
    semaphore.limit = 2;
    using held = await second;
    semaphore.limit = 1;
    equal([semaphore.held, held.released], [2, false]);
    first.release();
    equal(semaphore.tryAcquire(), undefined);
  }),

  claim('semaphore: a caller beyond maxWaiting is refused at once', async () => {
    const semaphore = new Semaphore(1, { maxWaiting: 1 });
    const holder = await semaphore.acquire();
    const waiting = semaphore.acquire();
    await rejectsWithCode(semaphore.acquire(), 'ERR_QUEUE_FULL');
    holder.release();
    (await waiting).release();
  }),

  claim(
    'semaphore: close refuses waiting and later callers, the holder finishes, and idle resolves',
    async () => {
      const semaphore = new Semaphore(1);
      const holder = await semaphore.acquire();
      const waiting = semaphore.acquire();
      semaphore.close();
      await rejectsWithCode(waiting, 'ERR_CLOSED');
      await rejectsWithCode(semaphore.acquire(), 'ERR_CLOSED');
      let isIdle = false;
      const idle = semaphore.idle().then(() => {
        isIdle = true;
      });
      await pause(1);
      equal(isIdle, false);
      holder.release();
      await idle;
      const { limit, held, waiting: left, closed } = semaphore.stats();
      equal([limit, held, left, closed], [1, 0, 0, true]);
    },
  ),

  claim('semaphore: a thousand waiters that share a signal all end with its reason', async () => {
    const semaphore = new Semaphore(1);
    const holder = await semaphore.acquire();
    const controller = new AbortController();
    const { signal } = controller;
    const waiters = Array.from({ length: 1_000 }, () => rejection(semaphore.acquire({ signal })));
    controller.abort('stop');
    equal(semaphore.waiting, 0);
    equal(new Set(await Promise.all(waiters)).size, 1);
    holder.release();
  }),

  claim('semaphore: a limit that is not a whole number or Infinity is refused', () => {
    throwsNamed(() => new Semaphore(Number.NaN), 'RangeError');
    throwsNamed(() => new Semaphore(-1), 'RangeError');
    throwsNamed(() => new Semaphore(1.5), 'RangeError');
    throwsNamed(() => new Semaphore('1' as never), 'TypeError');
    ok(new Semaphore(Infinity).tryAcquire() !== undefined, 'Infinity is a limit');
  }),

  claim('adaptive semaphore: an overload lowers the limit and calls onLimitChange', async () => {
    const changes: string[] = [];
    const semaphore = new AdaptiveSemaphore({
      algorithm: new AimdLimit({ initial: 10, min: 1, max: 10 }),
      onLimitChange: ({ from, to }) => changes.push(`${from > to}`),
    });
    equal(semaphore.limit, 10);
    const refusal = Object.assign(new Error('busy'), { status: 503 });
    equal(await rejection(semaphore.run(() => Promise.reject(refusal))), refusal);
    ok(semaphore.limit < 10, `the limit is ${semaphore.limit}`);
    equal(changes, ['true']);
  }),

  claim('adaptive semaphore: disposing a permit gives no sample, releasing it does', async () => {
    let samples = 0;
    const algorithm = { limit: 2, onSample: () => void samples++ };
    const semaphore = new AdaptiveSemaphore({ algorithm });
    {
      using permit = await semaphore.acquire();
      equal([permit.released, semaphore.held], [false, 1]);
    }
    equal(samples, 0);
    (await semaphore.acquire()).release('overload');
    equal([samples, semaphore.held], [1, 0]);
  }),

  claim('adaptive semaphore: each law stays within its bounds under load', async () => {
    const bounds = { initial: 4, min: 2, max: 8 };
    for (const algorithm of [new ElasticLimit(bounds), new AimdLimit(bounds), new VegasLimit(bounds)]) {
      const semaphore = new AdaptiveSemaphore({ algorithm });
      let most = 0;
      const work = async () => {
        most = Math.max(most, semaphore.held);
        ok(semaphore.limit >= 2 && semaphore.limit <= 8, `the limit is ${semaphore.limit}`);
        await pause(0);
      };
      await Promise.all(Array.from({ length: 100 }, () => semaphore.run(work)));
      ok(most <= 8, `${most} ran at once`);
      await semaphore.idle();
      equal([semaphore.held, semaphore.waiting], [0, 0]);
    }
  }),

  claim('adaptive semaphore: aborts, timeouts and close end a wait as everywhere', async () => {
    const semaphore = new AdaptiveSemaphore({ algorithm: new ElasticLimit({ initial: 1, min: 1, max: 1 }) });
    const holder = await semaphore.acquire();
    const reason = new Error('changed my mind');
    equal(await rejection(semaphore.acquire({ signal: AbortSignal.abort(reason) })), reason);
    await rejectsWithCode(semaphore.acquire({ waitTimeoutMs: 1 }), 'ERR_WAIT_TIMEOUT');
    const waiting = semaphore.acquire();
    semaphore.close();
    await rejectsWithCode(waiting, 'ERR_CLOSED');
    holder.release();
    equal(semaphore.stats().held, 0);
  }),

  claim("Little's law: 1,000 items of 50 ms within 10 s need 5 at once", () => {
    equal(littlesLaw({ items: 1_000, durationMs: 50, withinMs: 10_000 }), 5);
  }),
];
