/**
 * A try of a claim about an engine. A claim that needs a lease to be alive looks at the clock, and starts again when the machine was
 * too slow for it: a failure is never a matter of timing.
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
export class Trial {
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

  /** Another process takes the key, and gives it back. @throws when it is refused. */
  async takenByAnother(): Promise<void> {
    const owner = this.owner();
    await this.get(this.other, owner);
    await this.other.release(this.key, owner);
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

/** @throws `what` unless it is true. */
export function claim(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

const tries = 8;

/** A claim that is tried again with a longer time to live when the machine was too slow. `isMade`: whether the engine makes it at all. */
export function claimOf(
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

export const expiring = ({ expires = true }: LeaseEngineSubject) => expires;
export const several = ({ places = 1 }: LeaseEngineSubject) => places > 1;

/** A key that is taken, and both owners' names. */
export async function taken(trial: Trial) {
  await trial.fill();
  const sinceMs = now();
  const owner = trial.owner();
  const token = await trial.get(trial.one, owner);
  return { owner, token, sinceMs };
}
