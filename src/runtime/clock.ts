/**
 * The one place that reads the time. It reads the globals when called, not when loaded, so that code that replaces them
 * (fake timers, a simulator) makes everything built on it deterministic.
 */

/** The longest delay of `setTimeout` in milliseconds; above it, it fires at once. A longer wait takes several timers. */
const longestTimerMs = 2 ** 31 - 1;

/** A timer may fire this much early by the monotonic clock, in milliseconds. */
export const timerGrainMs = 1;

/** Monotonic milliseconds; only differences are meaningful. */
export function now(): number {
  return performance.now();
}

/** Milliseconds since the epoch by the wall clock, which may step backwards. */
export function wallClock(): number {
  return Date.now();
}

/** What `setTimeout` returns: a number in browsers, an object elsewhere. */
type TimerHandle = { ref?(): void; unref?(): void; hasRef?(): boolean };

export interface Timer {
  cancel(): void;
  /** Whether it keeps the process alive, as `ref` and `unref` of Node do. @returns false if it cannot be changed. */
  ref?(alive: boolean): boolean;
}

/**
 * Calls `fire` once after `delayMs`. A timer that settles a user's promise keeps the process alive; housekeeping
 * passes `background: true` and does not.
 */
export function setTimer(fire: () => void, delayMs: number, { background = false } = {}): Timer {
  let handle: TimerHandle;
  let remainingMs = delayMs;
  let isReal: boolean | undefined;
  const arm = () => {
    const stepMs = Math.min(remainingMs, longestTimerMs);
    remainingMs -= stepMs;
    handle = setTimeout(remainingMs > 0 ? arm : fire, stepMs) as TimerHandle;
    if (background) handle.unref?.();
  };
  arm();
  return {
    cancel: () => clearTimeout(handle as ReturnType<typeof setTimeout>),
    ref(alive) {
      background = !alive;
      if (alive) handle.ref?.();
      else handle.unref?.();
      // Fake timers are plain objects, or say that they cannot be changed.
      isReal ??= handle.hasRef?.() === alive && handle.constructor !== Object;
      return isReal;
    },
  };
}

interface Immediates {
  setImmediate?(fire: () => void): unknown;
  clearImmediate?(handle: unknown): void;
}

type AfterPoll = (fire: () => void) => Timer;

/** Calls `fire` in the next turn of the event loop, after it has polled for I/O; without `setImmediate`, after its timers. */
export const afterPoll: AfterPoll = (fire) => afterPollOfNow()(fire);

/** An `afterPoll` that keeps the timers of this moment when a test replaces them later by fake ones. */
export function afterPollOfNow(): AfterPoll {
  const { setImmediate, clearImmediate } = globalThis as Immediates;
  if (setImmediate === undefined) return (fire) => setTimer(fire, 0);
  return (fire) => {
    const handle = setImmediate(fire);
    return { cancel: () => clearImmediate?.(handle) };
  };
}
