import { KeyedMutex, Mutex } from 'latchkey';
import { claim, equal, ok, pause, rejection, rejectsWithCode } from './check.js';

export const locks = [
  claim('mutex: tasks run one at a time, in the order in which they came', async () => {
    const mutex = new Mutex();
    const seen: number[] = [];
    let running = 0;
    await Promise.all(
      [0, 1, 2, 3].map((n) =>
        mutex.run(async () => {
          equal(++running, 1);
          await pause(1);
          seen.push(n);
          running--;
        }),
      ),
    );
    equal(seen, [0, 1, 2, 3]);
    equal(mutex.locked, false);
  }),

  claim('mutex: a release hands over in the same turn, so that no newcomer gets in', async () => {
    const mutex = new Mutex();
    const first = await mutex.acquire();
    const waiter = mutex.acquire();
    first.release();
    equal([mutex.locked, mutex.waiting, mutex.tryAcquire()], [true, 0, undefined]);
    (await waiter).release();
    equal(mutex.locked, false);
  }),

  claim('mutex: a second release changes nothing', async () => {
    const mutex = new Mutex();
    const first = await mutex.acquire();
    first.release();
    const second = await mutex.acquire();
    first.release();
    equal([first.released, second.released, mutex.locked], [true, false, true]);
    second.release();
  }),

  claim(
    "mutex: an abort rejects with the signal's own reason, and the place in the queue is gone",
    async () => {
      const mutex = new Mutex();
      const holder = await mutex.acquire();
      const controller = new AbortController();
      const reason = { why: 'no longer needed' };
      const aborted = rejection(mutex.run(() => 'never', { signal: controller.signal }));
      const next = mutex.run(() => 'next');
      controller.abort(reason);
      equal(mutex.waiting, 1);
      equal(await aborted, reason);
      holder.release();
      equal(await next, 'next');
    },
  ),

  claim('mutex: a signal that is aborted already wins over a free lock', async () => {
    const reason = new Error('too late');
    equal(await rejection(new Mutex().acquire({ signal: AbortSignal.abort(reason) })), reason);
  }),

  claim('mutex: a wait that takes too long rejects with the counts', async () => {
    const mutex = new Mutex();
    const holder = await mutex.acquire();
    const error = (await rejection(mutex.acquire({ waitTimeoutMs: 5 }))) as Record<string, unknown>;
    equal(
      [error['name'], error['code'], error['held'], error['limit'], mutex.waiting],
      ['WaitTimeoutError', 'ERR_WAIT_TIMEOUT', 1, 1, 0],
    );
    ok(Number(error['waitedMs']) >= 4, `waited only ${error['waitedMs']} ms`);
    holder.release();
  }),

  claim(
    'mutex: the stack of a timeout names the waiting function, where the runtime follows promises',
    async () => {
      async function theOrdinaryCaller() {
        await Promise.resolve().then(() => {
          throw new Error('made in a reaction');
        });
      }
      const ordinary = (await rejection(theOrdinaryCaller())) as Error;
      const mutex = new Mutex();
      const holder = await mutex.acquire();
      async function theImpatientCaller() {
        await mutex.acquire({ waitTimeoutMs: 1 });
      }
      const { stack } = (await rejection(theImpatientCaller())) as Error;
      equal(stack?.includes('theImpatientCaller'), ordinary.stack?.includes('theOrdinaryCaller'));
      holder.release();
    },
  ),

  claim('mutex: a task that throws at once is a rejection, and the lock is free again', async () => {
    const mutex = new Mutex();
    const thrown = new Error('thrown at once');
    const failing = mutex.run(() => {
      throw thrown;
    });
    equal(await rejection(failing), thrown);
    equal(mutex.locked, false);
  }),

  claim('mutex: a permit works with using', async () => {
    const mutex = new Mutex();
    {
      using permit = await mutex.acquire();
      equal([permit.released, mutex.locked], [false, true]);
    }
    equal(mutex.locked, false);
    const permit = await mutex.acquire();
    permit[Symbol.dispose]();
    equal(permit.released, true);
  }),

  claim('mutex: a bad argument is refused by name', async () => {
    const refused = await rejection(new Mutex().acquire({ waitTimeoutMs: Number.NaN }));
    ok(refused instanceof RangeError, `got ${String(refused)}`);
    ok((refused as Error).message.includes('waitTimeoutMs'), 'the option is not named');
  }),

  claim('keyed mutex: one key goes one at a time, other keys are not held up', async () => {
    const mutex = new KeyedMutex<string>();
    const holder = await mutex.acquire('a');
    const waiting = mutex.run('a', () => 'a');
    equal(await mutex.run('b', () => 'b'), 'b');
    equal([mutex.isLocked('a'), mutex.isLocked('b'), mutex.tryAcquire('a')], [true, false, undefined]);
    holder.release();
    equal(await waiting, 'a');
    equal(mutex.size, 0);
  }),

  claim('keyed mutex: several keys in opposite orders cannot deadlock', async () => {
    const mutex = new KeyedMutex<string>();
    const orders = [
      ['a', 'b', 'c'],
      ['c', 'b', 'a'],
      ['b', 'b', 'c'],
    ];
    const ran = await Promise.all(
      orders.map((keys) => mutex.runAll(keys, () => pause(1).then(() => keys[0]))),
    );
    equal(ran, ['a', 'c', 'b']);
    const all = await mutex.acquireAll(['x', 'y']);
    equal(mutex.size, 2);
    all.release();
    equal(mutex.size, 0);
  }),

  claim('keyed mutex: a caller that gives up several keys releases those already granted', async () => {
    const mutex = new KeyedMutex<string>();
    const holder = await mutex.acquire('b');
    await rejectsWithCode(mutex.acquireAll(['a', 'b', 'c'], { waitTimeoutMs: 1 }), 'ERR_WAIT_TIMEOUT');
    equal([mutex.isLocked('a'), mutex.isLocked('b'), mutex.isLocked('c')], [false, true, false]);
    holder.release();
  }),

  claim(
    'keyed mutex: tokens grow, the signal is quiet, and a lease works with using of both kinds',
    async () => {
      const mutex = new KeyedMutex<string>();
      const tokens: bigint[] = [];
      {
        using lease = await mutex.acquire('a');
        tokens.push(lease.token);
        equal([lease.key, lease.signal.aborted], ['a', false]);
      }
      {
        await using lease = await mutex.acquire('a');
        tokens.push(lease.token);
      }
      ok(tokens[1]! > tokens[0]!, `tokens were ${tokens}`);
      equal(mutex.size, 0);
    },
  ),

  claim('keyed mutex: keys are compared as in a Map', async () => {
    const mutex = new KeyedMutex<unknown>();
    const holder = await mutex.acquire(Number.NaN);
    equal([mutex.isLocked(Number.NaN), mutex.isLocked({}), mutex.isLocked('NaN')], [true, false, false]);
    holder.release();
  }),
];
