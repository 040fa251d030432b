import { vi } from 'vitest';

/** The surroundings of worlds and sweeps: timers that the test fires, and no randomness. */
export async function inFakeTime<T>(run: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'], now: 1_000_000 });
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
  try {
    return await run();
  } finally {
    random.mockRestore();
    vi.useRealTimers();
  }
}
