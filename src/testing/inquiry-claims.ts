/** What an engine may be able to do beside: name the holder, and wake waiters. */
import { now } from '../runtime/clock.js';
import { claim, claimOf, type LeaseEngineClaim, taken } from './trial.js';

export const inquiryClaims: readonly LeaseEngineClaim[] = [
  claimOf(
    'an engine that knows the holder names it while it holds the key, and not afterwards',
    async (trial) => {
      const { one, other } = trial;
      if (other.holder === undefined || trial.places > 1) return;
      claim((await other.holder(trial.key)) === undefined, 'a free key has a holder');
      const { owner, sinceMs } = await taken(trial);
      const found = await trial.within(trial.ttlMs, sinceMs, async () => {
        await trial.pause(trial.ttlMs / 4);
        return other.holder!(trial.key);
      });
      if (found === undefined) throw new Error('a key that is held has no holder');
      const { heldMs = trial.ttlMs / 4, leftMs } = found;
      // A database may count whole milliseconds, and timers may be early by one.
      claim(heldMs >= trial.ttlMs / 4 - 5 && heldMs <= now() - sinceMs + 5, `held for ${heldMs} ms`);
      if (trial.expires) {
        claim(found.owner === owner, `the holder is called ${found.owner}`);
        const least = sinceMs + trial.ttlMs - now() - 5;
        claim(leftMs >= least && leftMs <= trial.ttlMs + 1, `${leftMs} ms left of ${trial.ttlMs}`);
      } else claim(leftMs === Infinity, `${leftMs} ms left of a grant that does not end`);
      await one.release(trial.key, owner);
      claim((await other.holder(trial.key)) === undefined, 'a key that was released has a holder');
    },
  ),

  claimOf('a waiter that listens is woken by the release', async (trial) => {
    const { onFreed } = trial.other;
    if (onFreed === undefined) return;
    await trial.fill();
    let wakes = 0;
    const stop = onFreed.call(trial.other, trial.key, () => wakes++);
    // An engine may also wake its waiters when it begins to listen: one that heard a release hears the next one as well.
    let heard = 0;
    for (let i = 0; i < 100 && heard < 3; i++) {
      const owner = trial.owner();
      await trial.get(trial.one, owner, { ttlMs: 60_000 });
      wakes = 0;
      await trial.one.release(trial.key, owner);
      await trial.pause(20);
      if (wakes > 0) heard++;
    }
    stop();
    claim(heard === 3, `of a hundred releases, a waiter heard ${heard}`);
    wakes = 0;
    const owner = trial.owner();
    await trial.get(trial.one, owner, { ttlMs: 60_000 });
    await trial.one.release(trial.key, owner);
    await trial.pause(20);
    claim(wakes === 0, 'a waiter that has stopped listening is woken');
  }),
];
