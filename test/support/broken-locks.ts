import type { WaitOptions } from 'latchkey';
import type { LockKind, LockLike } from './lock-likes.js';

/** Locks with one mistake each, as people make them. The suites must fail each of them. */

interface Wrong {
  /** The lock is free for a moment while it passes from one holder to the next. */
  freedBeforeHandOver?: boolean;
  /** The next holder is chosen a microtask after the release. */
  grantedLate?: boolean;
  /** A waiter that gave up stays in the queue and is still granted. */
  ghosts?: boolean;
  /** Newcomers are served first. */
  lastComeFirst?: boolean;
  /** An abort after the grant takes the place away again. */
  abortAfterGrant?: boolean;
}

class BrokenLock implements LockLike {
  readonly #wrong: Wrong;
  #locked = false;
  readonly #queue: (() => void)[] = [];

  constructor(wrong: Wrong) {
    this.#wrong = wrong;
  }

  async run<T>(task: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    const grant = await this.acquire(options);
    try {
      return await task();
    } finally {
      grant.release();
    }
  }

  async acquire({ signal }: WaitOptions = {}): Promise<{ release(): void }> {
    signal?.throwIfAborted();
    if (this.#locked) await this.#wait(signal);
    this.#locked = true;
    if (this.#wrong.abortAfterGrant) signal?.throwIfAborted();
    return { release: () => this.#release() };
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const grant = () => {
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        const place = this.#queue.indexOf(grant);
        if (place === -1) return;
        if (!this.#wrong.ghosts) this.#queue.splice(place, 1);
        reject(signal?.reason);
      };
      if (this.#wrong.lastComeFirst) this.#queue.unshift(grant);
      else this.#queue.push(grant);
      signal?.addEventListener('abort', giveUp, { once: true });
    });
  }

  #release(): void {
    if (this.#wrong.grantedLate) queueMicrotask(() => this.#next());
    else this.#next();
  }

  #next(): void {
    const next = this.#queue.shift();
    if (next === undefined || this.#wrong.freedBeforeHandOver || this.#wrong.grantedLate)
      this.#locked = false;
    next?.();
  }

  waiting(): number {
    return this.#queue.length;
  }

  free(): boolean {
    return !this.#locked && this.#queue.length === 0;
  }
}

const kind = (name: string, wrong: Wrong): LockKind => ({ name, make: () => new BrokenLock(wrong) });

export const brokenLocks: LockKind[] = [
  kind('is free for a moment during the hand-over', { freedBeforeHandOver: true }),
  kind('grants one microtask after the release', { grantedLate: true }),
  kind('grants a waiter that has given up', { ghosts: true }),
  kind('serves the newcomer first', { lastComeFirst: true }),
  kind('gives up a place that was granted already', { abortAfterGrant: true }),
];
