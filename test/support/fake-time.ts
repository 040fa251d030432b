import { vi } from 'vitest';

/** What worlds and sweeps run in: timers that fire when told to, and no chance. */
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
