/** Waiting in tests with real servers. */
import { expect } from 'vitest';

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How long it takes until the signal aborts; `limitMs` and a little more when it does not. */
export async function lossOf(signal: AbortSignal, limitMs: number): Promise<number> {
  const startedMs = performance.now();
  while (!signal.aborted && performance.now() - startedMs < limitMs) await pause(5);
  return performance.now() - startedMs;
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    expect(tries, 'the condition never became true').toBeLessThan(300);
    await pause(20);
  }
}
