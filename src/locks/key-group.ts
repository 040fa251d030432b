/**
 * Several keys at once: `acquireAll` and `runAll` of KeyedMutex (K4). The queues it joins must be first come, first
 * served: only then do any two groups stand in the same order on every key that they share, so no cycle can form.
 */
import { printable, type WaitDetails } from '../contract/errors.js';
import type { Permit } from '../contract/types.js';
import { observer } from '../runtime/observer.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import type { WaitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';

type KeyPermit<K> = Permit & { readonly key: K };

/** What a group needs from the mutex. */
export interface KeyTable<K> {
  readonly source: object;
  tryGrant(key: K): KeyPermit<K> | undefined;
  /** The waiters of a key that is held. */
  queue(key: K): { join(onGrant: (lease: KeyPermit<K>) => void, demand: void): { leave(): boolean } };
}

/** The keys, each once. A string is refused: it would lock each of its letters. */
export function distinctKeys<K>(keys: Iterable<K>): ReadonlySet<K> {
  if (typeof keys === 'string') {
    throw new TypeError(`keys must be an iterable of keys, got the string ${printable(keys)}`);
  }
  if (typeof (keys as Partial<Iterable<K>> | null | undefined)?.[Symbol.iterator] !== 'function') {
    throw new TypeError(`keys must be an iterable of keys, got ${printable(keys)}`);
  }
  return new Set(keys);
}

/** A caller of several keys: it waits in the queue of each key (K4), and for all of them in a queue of its own. */
export class KeyGroup<K> implements QueueOwner {
  readonly source: object;
  readonly permit: Promise<Permit>;
  readonly #keys: ReadonlySet<K>;
  readonly #leases: KeyPermit<K>[] = [];
  readonly #waiters: { leave(): boolean }[] = [];
  readonly #whole = new WaitQueue<Permit>(this);

  constructor(table: KeyTable<K>, keys: ReadonlySet<K>, settings: WaitSettings) {
    this.source = table.source;
    this.#keys = keys;
    for (const key of this.#keys) {
      const lease = table.tryGrant(key);
      if (lease === undefined) this.#waiters.push(table.queue(key).join(this.#onGrant));
      else this.#leases.push(lease);
    }
    this.permit = this.#complete
      ? Promise.resolve(new GroupPermit(this.#leases))
      : this.#whole.wait(settings);
  }

  get #complete(): boolean {
    return this.#leases.length === this.#keys.size;
  }

  readonly #onGrant = (lease: KeyPermit<K>): void => {
    this.#leases.push(lease);
    observer?.gathered(lease, this);
    if (this.#complete) this.#whole.grant(new GroupPermit(this.#leases));
  };

  /** The caller gave up: all or none. */
  onLeave(): void {
    for (const waiter of this.#waiters) waiter.leave();
    for (const lease of this.#leases) lease.release();
  }

  /** For an observer: the keys that are still missing, and the leases that are there. */
  missing(): Iterable<K> {
    const there = new Set(this.#leases.map(({ key }) => key));
    return [...this.#keys].filter((key) => !there.has(key));
  }

  gathered(): Iterable<Permit> {
    return this.#leases;
  }

  describe(waitedMs: number): WaitDetails {
    return { key: [...this.#keys], waitedMs, held: this.#leases.length, waiting: 0, limit: this.#keys.size };
  }
}

class GroupPermit implements Permit {
  readonly #leases: readonly Permit[];
  #released = false;

  constructor(leases: readonly Permit[]) {
    this.#leases = leases;
  }

  /** For an observer. */
  get parts(): Iterable<object> {
    return this.#leases;
  }

  get released(): boolean {
    return this.#released;
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const lease of this.#leases) lease.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
