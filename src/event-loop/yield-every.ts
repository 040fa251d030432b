/**
 * yieldEvery: cuts long synchronous work into slices, so that timers and I/O get their turn between them.
 *
 * Invariants
 *   Y1  Within a slice nothing is awaited: the answer is `undefined`.
 *   Y2  A yield waits for a turn of the event loop, not for a microtask: a promise alone lets no timer run.
 *   Y3  All who share one function share its slice and resume in the same turn.
 *
 * Cancel: not at all; a yield lasts one turn. Look at your signal after it. Cost: a look at the clock per call.
 * Not here: threads. What may not be cut (one `JSON.parse`, one hash) belongs into a worker.
 */
import { checkDuration } from '../contract/arguments.js';
import { afterPoll, now } from '../runtime/clock.js';

/**
 * Makes a function to `await` between the steps of long work: it gives way once the work has gone on for `sliceMs`
 * milliseconds, and returns `undefined` before that.
 *
 * @throws TypeError or RangeError when `sliceMs` is no duration.
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
