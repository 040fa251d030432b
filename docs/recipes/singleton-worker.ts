/**
 * "Exactly one replica must poll the partner's API. When it dies, another has to take over."
 *
 * All replicas wait for one lock. The holder works until it is stopped or has lost the lock; when it dies, the next replica starts.
 * A piece of work that is under way when the lock is lost still ends, so fence what it writes.
 */
import type { KeyedLock } from 'latchkey';

/** Runs `work` again and again on whichever replica holds the lock, until `stop` aborts. */
export async function singleton(
  lock: KeyedLock<string>,
  name: string,
  work: (signal: AbortSignal) => Promise<void>,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    await lock
      .run(
        name,
        async (lease) => {
          // Asked before every piece of work: the lease may have been lost while this process was paused.
          while (!stop.aborted && !lease.signal.aborted) await work(lease.signal);
        },
        { signal: stop },
      )
      // Either the database failed, or `stop` aborted: the loop checks which.
      .catch(() => new Promise((resolve) => setTimeout(resolve, stop.aborted ? 0 : 1_000)));
  }
}
