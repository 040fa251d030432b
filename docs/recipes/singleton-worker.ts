/**
 * "Exactly one replica must poll the partner's API. When it dies, another has to take over."
 *
 * All replicas wait for one lock; the holder works until he is told to stop or has lost it, and the next one begins when he
 * has died. A piece of work that is under way when the lock is lost still ends: fence what it writes.
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
      // The database cannot be asked, or we are to stop: the loop says which.
      .catch(() => new Promise((resolve) => setTimeout(resolve, stop.aborted ? 0 : 1_000)));
  }
}
