/** Prints the verdict of each claim, and leaves idle objects behind: they must not keep the process alive. */
import { AdaptiveSemaphore, ConnectionPool, Semaphore } from 'latchkey';
import { BoundedQueue } from 'latchkey/bounded-queue';
import { monitorEventLoop } from 'latchkey/event-loop';
import { tryClaims } from './portable.js';

async function leaveIdleObjects(): Promise<void> {
  const pool = new ConnectionPool({ connect: () => ({}), close: () => {} }, { idleTimeoutMs: 600_000 });
  await pool.use(() => {});
  const limits = [new Semaphore(1), new AdaptiveSemaphore()];
  await Promise.all(limits.map((limit) => limit.run(() => {})));
  const queue = new BoundedQueue({ capacity: 1, policy: 'drop-newest', onOverflow: () => {} });
  for (const item of [1, 2, 3]) await queue.offer(item);
  monitorEventLoop();
}

tryClaims()
  .then(async (verdicts) => {
    console.log(JSON.stringify(verdicts));
    await leaveIdleObjects();
  })
  .catch((error: unknown) => {
    // The runner counts a process without verdicts as failed.
    console.error(error);
  });
