/** How long a grant lasts: for its own time to live, unless its holder renews it. */
import { now } from '../runtime/clock.js';
import { claim, claimOf, expiring, type LeaseEngineClaim, several, taken } from './trial.js';

export const lifetimeClaims: readonly LeaseEngineClaim[] = [
  claimOf(
    'a refusal says when the grant ends',
    async (trial) => {
      const { sinceMs } = await taken(trial);
      const [first, second] = await trial.within(trial.ttlMs, sinceMs, async () => {
        const early = await trial.refused(trial.other, { nowait: false });
        claim(early >= sinceMs + trial.ttlMs - now() - 5, `free in ${early} ms, long before the grant ends`);
        await trial.pause(trial.ttlMs / 4);
        return [early, await trial.refused(trial.other, { nowait: false })] as const;
      });
      claim(
        first > 0 && first <= trial.ttlMs + 1,
        `free in ${first} ms, with a time to live of ${trial.ttlMs} ms`,
      );
      claim(second < first && second >= 0, `free in ${second} ms, a while after free in ${first} ms`);
    },
    expiring,
  ),

  claimOf(
    'a repeated request of the holder is the same grant, and is prolonged',
    async (trial) => {
      const { owner, token, sinceMs } = await taken(trial);
      await trial.within(trial.ttlMs, sinceMs, () => trial.pause(0.6 * trial.ttlMs));
      const again = now();
      claim((await trial.get(trial.other, owner)) >= token, 'the token of a repeated request is smaller');
      await trial.pause(0.6 * trial.ttlMs);
      const isFreed = await trial.within(trial.ttlMs, again, async () => {
        await trial.refused(trial.one);
        return trial.one.release(trial.key, owner);
      });
      claim(isFreed, 'the release after a repeated request was answered false');
      claim(!(await trial.one.release(trial.key, owner)), 'a repeated request has to be released twice');
    },
    expiring,
  ),

  claimOf(
    'the renewal of a stranger does not keep the grant alive',
    async (trial) => {
      await taken(trial);
      await trial.other.renew(trial.key, trial.owner(), 60_000);
      await trial.pause(trial.ttlMs + 50);
      await trial.takenByAnother();
    },
    expiring,
  ),

  claimOf('a renewal prolongs the grant from now on', async (trial) => {
    const { owner, sinceMs } = await taken(trial);
    await trial.pause(0.6 * trial.ttlMs);
    const renewed = now();
    const isOurs = await trial.within(trial.ttlMs, sinceMs, () =>
      trial.one.renew(trial.key, owner, trial.ttlMs),
    );
    claim(isOurs, 'the renewal of the holder was answered false');
    await trial.pause(0.6 * trial.ttlMs);
    await trial.within(trial.ttlMs, renewed, () => trial.refused(trial.other));
    claim(
      await trial.within(trial.ttlMs, renewed, () => trial.one.renew(trial.key, owner, trial.ttlMs)),
      'the second renewal was answered false',
    );
    await trial.one.release(trial.key, owner);
  }),

  claimOf(
    'a renewal for a shorter time shortens the grant',
    async (trial) => {
      await trial.fill();
      const owner = trial.owner();
      await trial.get(trial.one, owner, { ttlMs: 60_000 });
      claim(await trial.one.renew(trial.key, owner, trial.ttlMs), 'the renewal was answered false');
      await trial.pause(trial.ttlMs + 50);
      await trial.takenByAnother();
    },
    expiring,
  ),

  claimOf('a renewal after the release is refused, and takes nothing', async (trial) => {
    await trial.fill();
    const owner = trial.owner();
    await trial.get(trial.one, owner);
    await trial.one.release(trial.key, owner);
    claim(
      !(await trial.one.renew(trial.key, owner, 60_000)),
      'the renewal of a released grant was answered true',
    );
    claim(
      !(await trial.one.renew(trial.key, trial.owner(), 60_000)),
      'the renewal of no grant was answered true',
    );
    await trial.takenByAnother();
  }),

  claimOf(
    'a grant that is not renewed ends, and its renewal does not bring it back',
    async (trial) => {
      const { owner, token } = await taken(trial);
      await trial.pause(trial.ttlMs + 50);
      claim(
        !(await trial.one.renew(trial.key, owner, 60_000)),
        'the renewal of a grant that has ended was answered true',
      );
      const next = trial.owner();
      const sinceMs = now();
      const nextToken = await trial.get(trial.other, next);
      claim(nextToken > token, `token ${nextToken} was given after ${token}`);
      await trial.within(trial.ttlMs, sinceMs, async () => {
        claim(
          !(await trial.one.renew(trial.key, owner, 60_000)),
          'a former holder renewed the grant of another',
        );
        claim(!(await trial.one.release(trial.key, owner)), 'a former holder released the grant of another');
        await trial.refused(trial.one);
        claim(await trial.other.release(trial.key, next), 'the holder had lost its grant to a former one');
      });
    },
    expiring,
  ),

  claimOf(
    'each grant lasts for its own time to live',
    async (trial) => {
      await trial.fill();
      const long = trial.owner();
      await trial.get(trial.one, long, { ttlMs: 60_000 });
      await trial.one.release(trial.key, long);
      const short = trial.owner();
      await trial.get(trial.other, short);
      await trial.pause(trial.ttlMs + 50);
      await trial.get(trial.one, long, { ttlMs: 60_000 });
      await trial.pause(trial.ttlMs + 50);
      await trial.refused(trial.other);
      claim(await trial.one.release(trial.key, long), 'a grant ended before its time to live');
    },
    expiring,
  ),

  claimOf(
    'a short grant does not end the long ones beside it',
    async (trial) => {
      const [long, short] = [trial.owner(), trial.owner()];
      await trial.get(trial.one, long, { ttlMs: 60_000 });
      await trial.get(trial.other, short);
      await trial.pause(trial.ttlMs + 50);
      claim(await trial.one.renew(trial.key, long, 60_000), 'a long grant ended with a short one');
      claim(
        !(await trial.other.renew(trial.key, short, 60_000)),
        'a short grant lasted as long as the one beside it',
      );
      await trial.one.release(trial.key, long);
    },
    (subject) => several(subject) && expiring(subject),
  ),
];
