/**
 * What every LeaseEngine must do, as a list of claims that any test runner can check. Each claim uses keys of its own, so that
 * they may run one after the other or all at once.
 *
 * Time is real, unless the subject brings its own `pause`. A claim that needs a lease to be alive looks at the clock, and starts
 * again when the machine was too slow for it: a failure is never a matter of timing.
 */
import type { LeaseAnswer, LeaseEngine, LeaseRequest } from '../remote-locks/lease-engine.js';
import { now } from '../runtime/clock.js';

/** The engine under test. */
export interface LeaseEngineSubject {
  /** Makes an engine over the same database, as another process would. It is called several times. */
  makeEngine: () => LeaseEngine;
  /** How many owners may hold a key at once. Default 1. */
  places?: number | undefined;
  /** `false` for an engine whose grants last until they are released, as those of a session do. Default `true`. */
  expires?: boolean | undefined;
  /** Time to live that the claims use, in milliseconds. Default 600. */
  ttlMs?: number | undefined;
  /** Lets time pass for the engine and its database. Default: a timer. */
  pause?: ((ms: number) => Promise<unknown>) | undefined;
}

/** One claim about an engine. */
export interface LeaseEngineClaim {
  readonly title: string;
  /** Resolves when the engine keeps the claim, or does not make it; rejects with an error that says what is wrong. */
  check(subject: LeaseEngineSubject): Promise<void>;
}

class TooSlow extends Error {}

/** A try of a claim: two engines, keys of its own, and a look at the clock. */
class Trial {
  readonly ttlMs: number;
  readonly places: number;
  readonly expires: boolean;
  readonly one: LeaseEngine;
  readonly other: LeaseEngine;
  readonly key: string;
  readonly #pause: (ms: number) => Promise<unknown>;
  #owners = 0;

  constructor(subject: LeaseEngineSubject) {
    const { ttlMs = 600, places = 1, expires = true, pause = realPause, makeEngine } = subject;
    this.ttlMs = ttlMs;
    this.places = places;
    this.expires = expires;
    this.#pause = pause;
    this.one = makeEngine();
    this.other = makeEngine();
    this.key = `claim ${crypto.randomUUID()}`;
  }

  owner(): string {
    return `${crypto.randomUUID()}-${++this.#owners}`;
  }

  pause(ms: number): Promise<unknown> {
    return this.#pause(ms);
  }

  ask(engine: LeaseEngine, owner: string, more: Partial<LeaseRequest> = {}): Promise<LeaseAnswer> {
    const { signal } = new AbortController();
    const { key, ttlMs } = this;
    return engine.acquire({ key, owner, ttlMs, signal, nowait: true, lost: () => {}, ...more });
  }

  /** The token of a grant. @throws when it is refused. */
  async get(engine: LeaseEngine, owner: string, more: Partial<LeaseRequest> = {}): Promise<bigint> {
    const answer = await this.ask(engine, owner, more);
    if (!('token' in answer)) throw new Error(`a free key was refused: free in ${answer.freeInMs} ms`);
    claim(typeof answer.token === 'bigint', `a token must be a bigint, got ${typeof answer.token}`);
    return answer.token;
  }

  /** How long the key stays taken, by the answer. @throws when it is granted. */
  async refused(engine: LeaseEngine, more: Partial<LeaseRequest> = {}): Promise<number> {
    const owner = this.owner();
    const answer = await this.ask(engine, owner, more);
    if (!('token' in answer)) return answer.freeInMs;
    await engine.release(more.key ?? this.key, owner);
    throw new Error('a key that another owner holds was granted');
  }

  /** Takes all places but one, so that the last one behaves as a mutex. */
  async fill(): Promise<void> {
    for (let i = 1; i < this.places; i++) await this.get(this.one, this.owner(), { ttlMs: 60_000 });
  }

  /** What `work` saw is valid only if it ended within the limit. */
  async within<T>(limitMs: number, sinceMs: number, work: () => Promise<T>): Promise<T> {
    try {
      const value = await work();
      if (now() - sinceMs >= limitMs) throw new TooSlow();
      return value;
    } catch (error) {
      throw now() - sinceMs >= limitMs ? new TooSlow() : error;
    }
  }
}

const realPause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function claim(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

const tries = 8;

function claimOf(
  title: string,
  attempt: (trial: Trial) => Promise<void>,
  isMade: (subject: LeaseEngineSubject) => boolean = () => true,
): LeaseEngineClaim {
  return {
    title,
    async check(subject) {
      if (!isMade(subject)) return;
      for (let i = 1; ; i++) {
        try {
          return await attempt(new Trial({ ...subject, ttlMs: i * (subject.ttlMs ?? 600) }));
        } catch (error) {
          if (!(error instanceof TooSlow) || i === tries) throw error;
        }
      }
    },
  };
}

const expiring = ({ expires = true }: LeaseEngineSubject) => expires;
const several = ({ places = 1 }: LeaseEngineSubject) => places > 1;

/** A key that is taken, and both owners' names. */
async function taken(trial: Trial) {
  await trial.fill();
  const sinceMs = now();
  const owner = trial.owner();
  const token = await trial.get(trial.one, owner);
  return { owner, token, sinceMs };
}

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

/**
 * The claims. An engine that keeps all of them can be given to `RemoteMutex` or `RemoteSemaphore`.
 *
 * @example
 * ```ts
 * import { leaseEngineClaims } from 'latchkey/testing';
 *
 * const broken = {
 *   acquire: async () => ({ token: 1n }),
 *   renew: async () => true,
 *   release: async () => true,
 * };
 * const ends = await Promise.allSettled(leaseEngineClaims.map(({ check }) => check({ makeEngine: () => broken })));
 * console.log(ends[1]?.status); // → rejected
 * ```
 */
export const leaseEngineClaims: readonly LeaseEngineClaim[] = [
  claimOf('a free key is granted, released once, and free again', async (trial) => {
    const owner = trial.owner();
    const sinceMs = now();
    await trial.get(trial.one, owner);
    const isFreed = await trial.within(trial.ttlMs, sinceMs, () => trial.one.release(trial.key, owner));
    claim(isFreed, 'the release of the holder was answered false');
    claim(!(await trial.one.release(trial.key, owner)), 'a second release was answered true');
    const next = trial.owner();
    await trial.get(trial.other, next);
    await trial.other.release(trial.key, next);
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

  claimOf(
    'the renewal of a stranger does not keep the grant alive',
    async (trial) => {
      await taken(trial);
      await trial.other.renew(trial.key, trial.owner(), 60_000);
      await trial.pause(trial.ttlMs + 50);
      const next = trial.owner();
      await trial.get(trial.other, next);
      await trial.other.release(trial.key, next);
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
      const next = trial.owner();
      await trial.get(trial.other, next);
      await trial.other.release(trial.key, next);
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
    const next = trial.owner();
    await trial.get(trial.other, next);
    await trial.other.release(trial.key, next);
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
