/** Signals that are not Node's: of polyfills, and of platforms without a reason. */
import { AbortController as AzureAbortController } from '@azure/abort-controller';
import { Mutex, Semaphore } from 'latchkey';
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

  test('AL2: that never aborts does not stand in the way', async () => {
    const semaphore = new Semaphore(1);
    const permit = semaphore.tryAcquire();
    const waits = semaphore.run(() => 'served', { signal: new Controller().signal as AbortSignal });
    permit?.release();
    expect(await waits).toBe('served');
  });
});
