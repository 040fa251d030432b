/** Semaphores with an order: who is served and who is refused, and that a wait ends as it does in every queue. */
import {
  AdaptiveSemaphore,
  type Permit,
  QueueFullError,
  Semaphore,
  type WeightedWaitOptions,
} from 'latchkey';
import { controlledDelay, fairShare, type WaitOrder } from 'latchkey/overload';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualTime, settled } from '../support/manual-time.js';

const time = new ManualTime();
beforeEach(() => time.install());
afterEach(() => time.uninstall());

/** Callers of a semaphore of one, which is held; each is noted when it gets its turn. */
async function held(order: WaitOrder | undefined, limit = 1) {
  const semaphore = new Semaphore(limit, { order });
  const permit = await semaphore.acquire({ weight: limit });
  const events: string[] = [];
  const ask = (name: string, options: WeightedWaitOptions = {}) =>
    semaphore
      .run(() => events.push(name), options)
      .catch((error: Error & { code?: string }) => events.push(`${name}: ${error.code ?? error.message}`));
  return { semaphore, permit, events, ask };
}

describe('semaphores with an order', () => {
  test('without an order: first come, first served, and none is refused', async () => {
    const { permit, events, ask } = await held(undefined);
    const asked = ['a', 'b'].map((name) => ask(name, { partition: name }));
    time.nowMs += 60_000;
    permit.release();
    await Promise.all(asked);
    expect(events).toEqual(['a', 'b']);
  });

  test('CD2, CD3: the newest is served; late waiters are refused at once, with retryAfterMs', async () => {
    const { semaphore, permit, ask, events } = await held(controlledDelay({ targetMs: 5, intervalMs: 100 }));
    void ask('a');
    time.nowMs += 400;
    const late = semaphore.acquire().catch((error: QueueFullError) => error);
    await settled();
    expect(events).toEqual(['a: ERR_QUEUE_FULL']);
    time.nowMs += 50;
    void ask('c');
    const error = await late;
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ retryAfterMs: 450, waitedMs: 50, limit: 1 });
    permit.release();
    await settled();
    expect(events).toEqual(['a: ERR_QUEUE_FULL', 'c']);
    expect(semaphore.stats()).toMatchObject({ held: 0, waiting: 0 });
  });

  test('a refusal by maxWaiting has no retryAfterMs', async () => {
    const semaphore = new Semaphore(1, { maxWaiting: 0, order: controlledDelay() });
    await semaphore.acquire();
    const error = await semaphore.acquire().catch((thrown: QueueFullError) => thrown);
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).not.toHaveProperty('retryAfterMs');
  });

  test('FS1: partitions take turns, whatever the order of arrival', async () => {
    const { permit, events, ask } = await held(fairShare());
    const names = ['batch', 'batch', 'batch', 'batch', 'user', 'user'];
    const asked = names.map((partition) => ask(partition, { partition }));
    permit.release();
    await Promise.all(asked);
    expect(events).toEqual(['batch', 'user', 'batch', 'user', 'batch', 'batch']);
  });

  test('FS2: a waiter that gives up costs its partition no turn', async () => {
    const { permit, events, ask } = await held(fairShare());
    const controller = new AbortController();
    const asked = [
      ask('a1', { partition: 'a', signal: controller.signal }),
      ask('a2', { partition: 'a', waitTimeoutMs: 10 }),
      ask('a3', { partition: 'a' }),
      ask('b1', { partition: 'b' }),
    ];
    controller.abort(new Error('changed'));
    await time.advance(10);
    permit.release();
    await Promise.all(asked);
    expect(events).toEqual(['a1: changed', 'a2: ERR_WAIT_TIMEOUT', 'a3', 'b1']);
  });

  test('a heavy waiter that is next is not overtaken; once refused, the next one goes on at once', async () => {
    const order = controlledDelay({ targetMs: 5, intervalMs: 100, newestFirst: false });
    const semaphore = new Semaphore(2, { order });
    await semaphore.acquire();
    const events: string[] = [];
    const heavy = semaphore.acquire({ weight: 2 }).catch(() => events.push('heavy was refused'));
    time.nowMs += 200;
    const light = semaphore.acquire().then(() => events.push('light goes on'));
    await Promise.all([heavy, light]);
    expect(events.sort()).toEqual(['heavy was refused', 'light goes on']);
  });

  test('close() refuses every waiter, in every partition', async () => {
    const { semaphore, permit, events, ask } = await held(fairShare({ within: controlledDelay() }));
    const asked = ['a', 'b', 'a'].map((partition, i) => ask(`${i}`, { partition }));
    semaphore.close();
    await Promise.all(asked);
    permit.release();
    expect(events).toEqual(['0: ERR_CLOSED', '1: ERR_CLOSED', '2: ERR_CLOSED']);
    await semaphore.idle();
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('a bug');
      },
      'a bug',
    ],
    ['returns 0', () => 0, 'share must return a positive, finite number, got 0'],
    [
      'answers a promise',
      () => Promise.resolve(1) as never,
      'share must answer at once, but it returned a promise',
    ],
  ])('a share that %s rejects its caller only', async (_name, share, message) => {
    const order = fairShare({ share: (partition) => (partition === 'bad' ? share() : 1) });
    const { permit, events, ask } = await held(order);
    const asked = [ask('bad', { partition: 'bad' }), ask('good', { partition: 'good' })];
    permit.release();
    await Promise.all(asked);
    expect(events.sort()).toEqual([`bad: ${message}`, 'good'].sort());
  });

  test('an adaptive semaphore takes an order and partitions too; one order serves several objects', async () => {
    const order = fairShare();
    const one = new AdaptiveSemaphore({ order, algorithm: { limit: 1, onSample() {} } });
    const other = new Semaphore(1, { order });
    const served: string[] = [];
    const ask = (partition: string) => one.run(async () => served.push(partition), { partition });
    const busy = await other.acquire();
    await Promise.all([ask('a'), ask('a'), ask('a'), ask('b')]);
    expect(served).toEqual(['a', 'a', 'b', 'a']);
    busy.release();
  });
});

describe('a share hook that acts', () => {
  /** A semaphore of one, which is held; the hook acts when it is asked about partition 'acts'. */
  async function acting(act: (semaphore: Semaphore, permit: Permit) => void) {
    const share = (partition: unknown) => {
      if (partition === 'acts') act(semaphore, permit);
      return 1;
    };
    const semaphore: Semaphore = new Semaphore(1, { order: fairShare({ share }) });
    const permit: Permit = await semaphore.acquire();
    return { semaphore, permit };
  }

  test('S2: raises the limit, or releases: the caller that it was asked about is served in the same turn', async () => {
    const acts: Parameters<typeof acting>[0][] = [
      (semaphore) => {
        semaphore.limit = 2;
      },
      (_, permit) => permit.release(),
    ];
    for (const act of acts) {
      const { semaphore } = await acting(act);
      const asked = semaphore.acquire({ partition: 'acts' });
      expect(semaphore.waiting).toBe(0);
      (await asked).release();
    }
  });

  test('W2: ends the wait of the caller that it was asked about: no unit is granted to it later', async () => {
    const controller = new AbortController();
    const acts: Parameters<typeof acting>[0][] = [
      () => controller.abort(new Error('ended')),
      (semaphore) => semaphore.refuseWaiting(new Error('ended')),
    ];
    for (const act of acts) {
      const { semaphore, permit } = await acting(act);
      const ended = semaphore.acquire({ partition: 'acts', signal: controller.signal });
      await expect(ended).rejects.toThrow('ended');
      const next = semaphore.acquire({ partition: 'next' });
      permit.release();
      (await next).release();
      expect(semaphore.stats()).toMatchObject({ held: 0, waiting: 0 });
    }
  });

  test('FS3: makes another caller of the same partition wait: both are served', async () => {
    const inner: Promise<void>[] = [];
    let asked = 0;
    const { semaphore, permit } = await acting((reentered) => {
      if (asked++ === 0) inner.push(reentered.run(() => {}, { partition: 'acts' }));
    });
    const outer = semaphore.run(() => {}, { partition: 'acts' });
    permit.release();
    await Promise.all([outer, ...inner]);
    expect(inner).toHaveLength(1);
    expect(semaphore.stats()).toMatchObject({ held: 0, waiting: 0 });
  });
});

describe('arguments', () => {
  test.each([
    ['targetMs', () => controlledDelay({ targetMs: -1 }), RangeError],
    ['intervalMs', () => controlledDelay({ intervalMs: Number.NaN }), RangeError],
    ['newestFirst', () => controlledDelay({ newestFirst: 1 as never }), TypeError],
    ['share', () => fairShare({ share: 3 as never }), TypeError],
    ['within', () => fairShare({ within: {} as never }), TypeError],
    ['order', () => new Semaphore(1, { order: {} as never }), TypeError],
    ['order', () => new AdaptiveSemaphore({ order: 'newest' as never }), TypeError],
    ['targtMs', () => controlledDelay({ targtMs: 3 } as never), TypeError],
    ['weigths', () => fairShare({ weigths: {} } as never), TypeError],
  ])('a bad %s is refused at once, by its name', (name, make, kind) => {
    expect(make).toThrow(kind);
    expect(make).toThrow(name);
  });
});
