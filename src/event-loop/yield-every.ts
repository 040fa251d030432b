/**
 * yieldEvery: cuts long synchronous work into slices, so that timers and I/O run between the slices.
 *
 * Invariants
 *   Y1  Within a slice the function returns `undefined`, so no turn passes.
 *   Y2  A yield waits for a turn of the event loop, not for a microtask: a promise alone lets no timer run.
 *   Y3  Callers that share one function share its slice, and resume in the same turn.
 *
 * Hand-over: the work resumes after the event loop has run its due timers and polled for I/O once.
 * Cancel: a yield cannot be cancelled; it lasts one turn. Check your signal after it.
 * Cost: one reading of the clock per call. Not here: threads. Work that cannot be cut (one `JSON.parse`, one hash)
 *   belongs in a worker.
 * Lineage: scheduler.yield() of the browsers.
 */
import { checkDuration } from '../contract/arguments.js';
import { afterPoll, now } from '../runtime/clock.js';

/**
 * Makes a function to `await` between the steps of long work. It yields to the event loop once the work has run for
 * `sliceMs` milliseconds; before that it returns `undefined`. `Infinity` never yields.
 *
 * @throws TypeError or RangeError when `sliceMs` is not a duration.
 * @example
 * ```ts
 * import { yieldEvery } from 'latchkey/event-loop';
 *
 * const mayYield = yieldEvery(10);
 * let sum = 0;
 * for (let i = 1; i <= 1_000_000; i++) {
 *   sum += i;
 *   if (i % 1_000 === 0) await mayYield();
 * }
 * console.log(sum); // → 500000500000
 * ```
 */
export function yieldEvery(sliceMs: number): () => Promise<void> | undefined {
  checkDuration('sliceMs', sliceMs);
  let sinceMs = now();
  let yielding: Promise<void> | undefined;
  const resume = () => {
    sinceMs = now();
    yielding = undefined;
  };
  return () => {
    if (yielding === undefined && now() - sinceMs >= sliceMs)
      yielding = new Promise<void>(afterPoll).then(resume);
    return yielding;
  };
}
