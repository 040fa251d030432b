/** Waiting in tests with real servers. */
import { LeaseLostError } from 'latchkey';
import { expect } from 'vitest';

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Why a lease was lost: the three ways in which a holder can learn of it. */
export const lossReasons = {
  session: 'its session has ended',
  renewal: 'the database no longer shows us as its owner',
  deadline: 'it was not renewed in time',
};

/** The message of the loss. Fails when a timer of `limitMs` fires first. On a busy machine timers are late, but keep their order. */
export async function lossOf(signal: AbortSignal, limitMs = 10_000): Promise<string> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, limitMs);
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
  expect(signal.aborted, `no loss within ${limitMs} ms`).toBe(true);
  expect(signal.reason).toBeInstanceOf(LeaseLostError);
  return signal.reason.message;
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    expect(tries, 'the condition never became true').toBeLessThan(300);
    await pause(20);
  }
}
