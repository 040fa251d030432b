/** Runs real semaphores in virtual time: the clock and the timers of the process are replaced while a scenario runs. */
import { Timeline } from '../limit/simulation/timeline.js';

const real = { setTimeout, clearTimeout, setImmediate, performance, wallClock: Date.now };

/** Lets every microtask pass that is due. */
const settled = () => new Promise<void>((resolve) => real.setImmediate(resolve));

/** A scenario of `seconds`, which `begin` starts. The same seed gives the same run. */
export async function inVirtualTime<T>(
  seconds: number,
  seed: number,
  begin: (timeline: Timeline) => () => T,
): Promise<T> {
  const timeline = new Timeline(seed);
  const fake = {
    setTimeout: (fire: () => void, delayMs = 0) => timeline.after(delayMs, fire),
    clearTimeout: (planned?: { cancelled: boolean }) => {
      if (planned !== undefined) planned.cancelled = true;
    },
    performance: { now: () => timeline.nowMs },
  };
  Object.assign(globalThis, fake);
  Date.now = () => timeline.nowMs;
  try {
    const result = begin(timeline);
    while (timeline.step(seconds * 1_000)) await settled();
    return result();
  } finally {
    Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout });
    Object.assign(globalThis, { performance: real.performance });
    Date.now = real.wallClock;
  }
}
