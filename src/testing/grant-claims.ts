/** Who gets a key: one owner per place, with a token that grows, and nobody else until it is released. */
import { now } from '../runtime/clock.js';
import { claim, claimOf, type LeaseEngineClaim, taken } from './trial.js';

/** Pairs of keys that a careless engine treats as one key. */
const unlikeKeys: readonly (readonly [string, string])[] = [
  ['a', 'A'],
  ['a', 'a '],
  ['a', ' a'],
  ['a:b', 'a'],
  ['a#1', 'a'],
  ['a', 'a%'],
  ['a_b', 'aXb'],
  ['}', '{'],
  ['}a', '}b'],
  ['é', 'e\u0301'],
  ['', ' '],
  ["'", "''"],
  ['\\', '\\\\'],
  ['a\nb', 'a b'],
  [`${'x'.repeat(3_000)}1`, `${'x'.repeat(3_000)}2`],
  [`${'é'.repeat(150)}1`, `${'é'.repeat(150)}2`],
];

export const grantClaims: readonly LeaseEngineClaim[] = [
  claimOf('a free key is granted, released once, and free again', async (trial) => {
    const owner = trial.owner();
    const sinceMs = now();
    await trial.get(trial.one, owner);
    const isFreed = await trial.within(trial.ttlMs, sinceMs, () => trial.one.release(trial.key, owner));
    claim(isFreed, 'the release of the holder was answered false');
    claim(!(await trial.one.release(trial.key, owner)), 'a second release was answered true');
    await trial.takenByAnother();
  }),

  claimOf(
    'a key that is held is refused to every other owner, in this process and in others',
    async (trial) => {
      const { owner, sinceMs } = await taken(trial);
      await trial.within(trial.ttlMs, sinceMs, async () => {
        await trial.refused(trial.one);
        await trial.refused(trial.other);
      });
      await trial.one.release(trial.key, owner);
    },
  ),

  claimOf('a stranger frees nothing and prolongs nothing', async (trial) => {
    const { owner, sinceMs } = await taken(trial);
    await trial.within(trial.ttlMs, sinceMs, async () => {
      claim(
        !(await trial.one.release(trial.key, trial.owner())),
        'the release of a stranger was answered true',
      );
      claim(
        !(await trial.other.release(trial.key, trial.owner())),
        'the release of a stranger was answered true',
      );
      claim(
        !(await trial.other.renew(trial.key, trial.owner(), 60_000)),
        'the renewal of a stranger was answered true',
      );
      await trial.refused(trial.other);
      claim(await trial.one.release(trial.key, owner), 'the holder could not release after a stranger tried');
    });
  }),

  claimOf('tokens grow with every grant, in whatever process', async (trial) => {
    await trial.fill();
    let last = 0n;
    for (let i = 0; i < 10; i++) {
      const engine = i % 2 ? trial.one : trial.other;
      const owner = trial.owner();
      const token = await trial.get(engine, owner);
      claim(token > last, `token ${token} was given after ${last}`);
      last = token;
      await engine.release(trial.key, owner);
    }
  }),

  claimOf('of many that ask at once, as many are granted as there are places', async (trial) => {
    const sinceMs = now();
    const asking = Array.from({ length: 24 }, async (_, i) => {
      const engine = i % 2 ? trial.one : trial.other;
      const owner = trial.owner();
      const answer = await trial.ask(engine, owner, { ttlMs: 60_000 });
      return 'token' in answer ? { engine, owner, token: answer.token } : undefined;
    });
    const granted = (await trial.within(60_000, sinceMs, () => Promise.all(asking))).filter(
      (got) => got !== undefined,
    );
    for (const { engine, owner } of granted) await engine.release(trial.key, owner);
    // With several places, two contenders for one may both be refused, so fewer may be granted, but at least one.
    claim(granted.length <= trial.places, `${granted.length} were granted, of ${trial.places}`);
    claim(granted.length >= 1, 'nobody was granted a free key');
    claim(
      new Set(granted.map(({ token }) => token)).size === granted.length,
      'two grants have the same token',
    );
  }),

  claimOf('every place is granted, and each release frees one', async (trial) => {
    const owners = Array.from({ length: trial.places }, () => trial.owner());
    for (const owner of owners) await trial.get(trial.one, owner, { ttlMs: 60_000 });
    for (const owner of owners) {
      await trial.refused(trial.other);
      claim(await trial.one.release(trial.key, owner), 'the release of a place was answered false');
      await trial.get(trial.other, owner, { ttlMs: 60_000 });
    }
    for (const owner of owners) claim(await trial.other.release(trial.key, owner), 'a place was lost');
  }),

  claimOf('different keys are different locks', async (trial) => {
    for (const [first, second] of unlikeKeys) {
      const keys = [first, second].map((key) => `${key}${trial.key}${key}`) as [string, string];
      const grants: [string, string][] = [];
      for (const key of keys) {
        for (let i = 0; i < trial.places; i++) {
          const owner = trial.owner();
          await trial.get(trial.one, owner, { key, ttlMs: 60_000 });
          grants.push([key, owner]);
        }
      }
      for (const key of keys) await trial.refused(trial.other, { key });
      for (const [key, owner] of grants)
        claim(await trial.one.release(key, owner), `${JSON.stringify(key)} was lost`);
    }
  }),
];
