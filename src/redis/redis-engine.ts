/**
 * RedisEngine: locks on Redis, as scripts. The mutex and the semaphore differ in their scripts only.
 *
 * Invariants
 *   RE1  Names are injective, and start with the namespace: locks of different kind, namespace or key share nothing in Redis.
 *   RE2  Both keys of a lock are in one slot of a cluster.
 *   RE3  Nothing stays in Redis for ever: tokens are remembered for at least two times to live after a release, and for a day
 *        where they are ahead of the server's clock.
 *   RE4  A wake-up is only a hint. One subscription serves all keys; when it begins to work, every waiter asks once.
 *
 * Cost: one round trip per command; on a server that sees a script for the first time, two.
 */
import { escaped, type LockKind, taggedKey } from '../remote-locks/key-name.js';
import type { LeaseAnswer, LeaseEngine, LeaseHolder, LeaseRequest } from '../remote-locks/lease-engine.js';
import { numbers, type RedisSend, runScript } from './redis-commands.js';
import { holderScript, type LockScripts, mutexScripts, semaphoreScripts } from './redis-scripts.js';

/**
 * Listens to a channel on a connection of its own, and calls `listener` with every message. A promise it returns says when it
 * listens; when that rejects, it is called again with the next waiter.
 */
export type RedisSubscribe = (channel: string, listener: (message: string) => void) => unknown;

export interface RedisEngineSettings {
  readonly kind: LockKind;
  readonly namespace: string;
  readonly subscribe: RedisSubscribe | undefined;
  readonly places: number;
}

const dayMs = 86_400_000;
/** Renewed after each third of the time to live, so that two are left after the release. */
const rememberedTtls = 3;

export class RedisEngine implements LeaseEngine {
  readonly onFreed?: (key: string, wake: () => void) => () => void;
  readonly holder?: (key: string) => Promise<LeaseHolder | undefined>;
  readonly #send: RedisSend;
  readonly #kind: LockKind;
  readonly #prefix: string;
  readonly #channel: string;
  readonly #places: number;
  readonly #scripts: LockScripts;

  constructor(send: RedisSend, { kind, namespace, subscribe, places }: RedisEngineSettings) {
    this.#send = send;
    this.#kind = kind;
    this.#prefix = escaped(namespace);
    this.#channel = `${this.#prefix}:freed`;
    this.#places = places;
    this.#scripts = kind === 'mutex' ? mutexScripts : semaphoreScripts;
    if (kind === 'mutex') this.holder = (key) => this.#holderOf(key);
    if (subscribe !== undefined) {
      const wakeUps = new WakeUps(this.#channel, subscribe);
      this.onFreed = (key, wake) => wakeUps.listen(taggedKey(kind, key), wake);
    }
  }

  async acquire({ key, owner, ttlMs }: LeaseRequest): Promise<LeaseAnswer> {
    const rememberMs = rememberedTtls * ttlMs;
    const args = [owner, ttlMs, rememberMs, Math.max(rememberMs, dayMs), this.#places];
    const reply = (await this.#run(this.#scripts.acquire, key, args)) as unknown[];
    const [granted, , freeInMs] = numbers(reply) as [number, number, number];
    if (granted === 1) return { token: BigInt(String(reply[1])) };
    // A key without an end was not set by us; it may still be deleted.
    return { freeInMs: freeInMs < 0 ? Infinity : freeInMs + 1 };
  }

  async renew(key: string, owner: string, ttlMs: number): Promise<boolean> {
    const args = [owner, ttlMs, rememberedTtls * ttlMs];
    return Number(await this.#run(this.#scripts.renew, key, args)) === 1;
  }

  async release(key: string, owner: string): Promise<boolean> {
    const args = [owner, this.#channel, await taggedKey(this.#kind, key)];
    return Number(await this.#run(this.#scripts.release, key, args)) === 1;
  }

  async #holderOf(key: string): Promise<LeaseHolder | undefined> {
    const [owner, heldMs, leftMs] = (await this.#run(holderScript, key, [])) as unknown[];
    return owner === undefined
      ? undefined
      : { owner: String(owner), heldMs: Number(heldMs), leftMs: Number(leftMs) };
  }

  async #run(script: string, key: string, args: (string | number)[]): Promise<unknown> {
    // The braces are the hash tag of a cluster.
    const name = `${this.#prefix}:{${await taggedKey(this.#kind, key)}}`;
    const keys = [`${name}:${this.#kind === 'mutex' ? 'lock' : 'places'}`, `${name}:token`];
    return runScript(this.#send, script, keys, args);
  }
}

/** One subscription for all keys, made when the first waiter listens. */
class WakeUps {
  readonly #channel: string;
  readonly #subscribe: RedisSubscribe;
  readonly #listeners = new Map<string, Set<() => void>>();
  #isSubscribed = false;

  constructor(channel: string, subscribe: RedisSubscribe) {
    this.#channel = channel;
    this.#subscribe = subscribe;
  }

  listen(name: Promise<string>, wake: () => void): () => void {
    let isOver = false;
    let forget = () => {};
    void name.then((message) => {
      if (!isOver) forget = this.#add(message, wake);
    });
    if (!this.#isSubscribed) this.#begin();
    return () => {
      isOver = true;
      forget();
    };
  }

  #add(message: string, wake: () => void): () => void {
    const own = this.#listeners.get(message) ?? new Set();
    this.#listeners.set(message, own.add(wake));
    return () => {
      own.delete(wake);
      if (own.size === 0) this.#listeners.delete(message);
    };
  }

  #begin(): void {
    this.#isSubscribed = true;
    const wake = (listeners: Iterable<() => void> = []) => {
      for (const each of [...listeners]) each();
    };
    const subscribed = async () =>
      this.#subscribe(this.#channel, (freed) => wake(this.#listeners.get(freed)));
    subscribed().then(
      // What was freed before is not announced again.
      () => wake([...this.#listeners.values()].flatMap((own) => [...own])),
      () => {
        this.#isSubscribed = false;
      },
    );
  }
}
