import { QueueFullError, Semaphore } from 'latchkey';
import { describe, expect, test } from 'vitest';
import { drained, watch } from '../support/lock-likes.js';

describe('semaphore', () => {
  test('S1: exactly as many tasks run at once as the limit allows', async () => {
    const semaphore = new Semaphore(3);
    const permits = await Promise.all([semaphore.acquire(), semaphore.acquire(), semaphore.acquire()]);
    const fourth = watch(semaphore.acquire());
    expect(semaphore.stats()).toEqual({ limit: 3, held: 3, waiting: 1, closed: false });
    permits[1]?.release();
    await drained();
    expect(fourth.state).toBe('fulfilled');
  });

  test('S3: a heavy waiter at the head is not starved by light ones behind it', async () => {
    const semaphore = new Semaphore(3);
    const light = await semaphore.acquire();
    const heavy = watch(semaphore.acquire({ weight: 3 }));
    const behind = watch(semaphore.acquire());
    await drained();
    expect([heavy.state, behind.state, semaphore.held]).toEqual(['pending', 'pending', 1]);
    expect(semaphore.tryAcquire()).toBeUndefined();
    light.release();
    await drained();
    expect([heavy.state, behind.state, semaphore.held]).toEqual(['fulfilled', 'pending', 3]);
    heavy.value?.release();
    await drained();
    expect([behind.state, semaphore.held]).toEqual(['fulfilled', 1]);
  });

  test('S2: a heavy waiter that leaves the head lets the waiters behind it through', async () => {
    const semaphore = new Semaphore(3);
    const light = await semaphore.acquire();
    const controller = new AbortController();
    const heavy = watch(semaphore.acquire({ weight: 3, signal: controller.signal }));
    const behind = [watch(semaphore.acquire()), watch(semaphore.acquire())];
    controller.abort();
    await drained();
    expect(heavy.state).toBe('rejected');
    expect(behind.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
    expect(semaphore.held).toBe(3);
    light.release();
  });

  test('one release may grant several waiters', async () => {
    const semaphore = new Semaphore(4);
    const heavy = await semaphore.acquire({ weight: 4 });
    const waiters = [1, 2, 1].map((weight) => watch(semaphore.acquire({ weight })));
    heavy.release();
    expect(semaphore.held).toBe(4);
    await drained();
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  });

  test('run gives its weight back', async () => {
    const semaphore = new Semaphore(5);
    const held = await semaphore.run(() => semaphore.held, { weight: 4 });
    expect([held, semaphore.held]).toEqual([4, 0]);
  });

  test('S1, S2: raising the limit grants waiters at once; lowering it interrupts nobody', async () => {
    const semaphore = new Semaphore(1);
    const first = await semaphore.acquire();
    const second = watch(semaphore.acquire());
    semaphore.limit = 2;
    expect(semaphore.held).toBe(2);
    semaphore.limit = 1;
    expect(first.released).toBe(false);
    const third = watch(semaphore.acquire());
    first.release();
    await drained();
    expect([second.state, third.state, semaphore.held]).toEqual(['fulfilled', 'pending', 1]);
    second.value?.release();
    await drained();
    expect(third.state).toBe('fulfilled');
  });

  test('S5: a weight above the limit is refused at once, and a waiter when the limit is lowered below its weight', async () => {
    const semaphore = new Semaphore(4);
    await expect(semaphore.acquire({ weight: 5 })).rejects.toThrow(
      new RangeError('weight must be at most 4, got 5'),
    );
    const holder = await semaphore.acquire({ weight: 4 });
    const waiters = [4, 1, 3, 2, 1].map((weight) => watch(semaphore.acquire({ weight })));
    semaphore.limit = 2;
    await drained();
    expect(waiters.map(({ state }) => state)).toEqual([
      'rejected',
      'pending',
      'rejected',
      'pending',
      'pending',
    ]);
    expect(waiters[0]?.reason).toEqual(new RangeError('weight must be at most 2, got 4'));
    holder.release();
    await drained();
    expect(waiters[1]?.state).toBe('fulfilled');
    waiters[1]?.value?.release();
    await drained();
    expect(waiters[3]?.state).toBe('fulfilled');
  });

  test('S5: a refusal at the head lets the waiters behind it through, without a release', async () => {
    const semaphore = new Semaphore(4);
    await semaphore.acquire();
    const heavy = watch(semaphore.acquire({ weight: 4, waitTimeoutMs: 60_000 }));
    const light = watch(semaphore.acquire());
    semaphore.limit = 3;
    semaphore.limit = 2;
    await drained();
    expect(heavy.reason).toEqual(new RangeError('weight must be at most 3, got 4'));
    expect(light.state).toBe('fulfilled');
  });

  test('S6: at a limit of 0 no caller is granted and none is refused, until it is raised', async () => {
    const semaphore = new Semaphore(0);
    expect(semaphore.tryAcquire()).toBeUndefined();
    expect(semaphore.tryAcquire(100)).toBeUndefined();
    const waiters = [1, 100, 1].map((weight) => watch(semaphore.acquire({ weight })));
    semaphore.limit = 0;
    await drained();
    expect(semaphore.stats()).toEqual({ limit: 0, held: 0, waiting: 3, closed: false });
    semaphore.limit = 2;
    await drained();
    expect(waiters.map(({ state }) => state)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(waiters[1]?.reason).toBeInstanceOf(RangeError);
  });

  test('S6: a pause interrupts no holder, and a paused semaphore can be closed', async () => {
    const semaphore = new Semaphore(1);
    const holder = await semaphore.acquire();
    semaphore.limit = 0;
    expect(holder.released).toBe(false);
    const waiter = watch(semaphore.acquire());
    const idle = watch(semaphore.idle());
    holder.release();
    await drained();
    expect([waiter.state, idle.state]).toEqual(['pending', 'pending']);
    semaphore.close();
    await drained();
    expect([waiter.state, idle.state]).toEqual(['rejected', 'fulfilled']);
  });

  test('in an unlimited semaphore no caller waits', () => {
    const semaphore = new Semaphore(Infinity);
    for (let i = 0; i < 10_000; i++) expect(semaphore.tryAcquire(1_000)).toBeDefined();
    expect(semaphore.held).toBe(10_000_000);
  });

  test('beyond maxWaiting a caller is refused at once, with the counts and its own stack', async () => {
    const semaphore = new Semaphore(1, { maxWaiting: 1 });
    const holder = await semaphore.acquire();
    const waiter = semaphore.acquire();
    async function theCaller() {
      return await semaphore.acquire();
    }
    const refused = await theCaller().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(QueueFullError);
    expect(refused).toMatchObject({ code: 'ERR_QUEUE_FULL', held: 1, waiting: 1, limit: 1 });
    expect((refused as Error).stack).toContain('theCaller');
    holder.release();
    (await waiter).release();
    expect(semaphore.stats()).toMatchObject({ held: 0, waiting: 0 });
  });

  test('maxWaiting 0 admits a caller that does not have to wait', async () => {
    const semaphore = new Semaphore(1, { maxWaiting: 0 });
    const holder = await semaphore.acquire();
    await expect(semaphore.acquire()).rejects.toMatchObject({ code: 'ERR_QUEUE_FULL' });
    holder.release();
    await expect(semaphore.run(() => 'ran')).resolves.toBe('ran');
  });

  test('idle() resolves when nothing is held and no caller waits, and at once if that is already so', async () => {
    const semaphore = new Semaphore(1);
    await semaphore.idle();
    const holder = await semaphore.acquire();
    const waiter = semaphore.acquire();
    const idle = [watch(semaphore.idle()), watch(semaphore.idle())];
    holder.release();
    const permit = await waiter;
    await drained();
    expect(idle.map(({ state }) => state)).toEqual(['pending', 'pending']);
    permit.release();
    await drained();
    expect(idle.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
  });

  test('idle() stays pending while units are held, or while a caller waits for more units than are free', async () => {
    const semaphore = new Semaphore(3);
    const holder = await semaphore.acquire();
    const whileHeld = watch(semaphore.idle());
    const heavy = watch(semaphore.acquire({ weight: 3 }));
    semaphore.limit = 0;
    holder.release();
    const whileWanted = watch(semaphore.idle());
    await drained();
    expect([semaphore.held, semaphore.waiting]).toEqual([0, 1]);
    expect([whileHeld.state, whileWanted.state, heavy.state]).toEqual(['pending', 'pending', 'pending']);
    semaphore.limit = 3;
    await drained();
    heavy.value?.release();
    await drained();
    expect([whileHeld.state, whileWanted.state]).toEqual(['fulfilled', 'fulfilled']);

    const lone = await semaphore.acquire();
    const idle = watch(semaphore.idle());
    await drained();
    expect(idle.state).toBe('pending');
    lone.release();
  });

  test('S4: idle() resolves after close() when the holders have finished', async () => {
    const semaphore = new Semaphore(1);
    const holder = await semaphore.acquire();
    const waiter = watch(semaphore.acquire());
    const idle = watch(semaphore.idle());
    semaphore.close();
    semaphore.close();
    await drained();
    expect(waiter.reason).toMatchObject({ code: 'ERR_CLOSED', message: 'the semaphore is closed' });
    expect([waiter.state, idle.state]).toEqual(['rejected', 'pending']);
    holder.release();
    await drained();
    expect(idle.state).toBe('fulfilled');
    expect(() => semaphore.tryAcquire()).toThrow('the semaphore is closed');
  });

  test('a permit works with using', async () => {
    const semaphore = new Semaphore(1);
    const kept = await semaphore.acquire();
    expect(kept.released).toBe(false);
    kept.release();
    expect(kept.released).toBe(true);
    {
      using permit = await semaphore.acquire();
      expect([semaphore.held, permit.released]).toEqual([1, false]);
    }
    expect(semaphore.held).toBe(0);
  });
});
