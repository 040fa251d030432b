/**
 * Several keys at once: `acquireAll` and `runAll` of KeyedMutex (K4). The queues it joins must be first come, first
 * served: only then do any two groups stand in the same order on every key that they share, so no cycle can form.
 */
import { printable, type WaitDetails } from '../contract/errors.js';
import type { Permit } from '../contract/types.js';
import { watching } from '../runtime/observer.js';
import { Link, type LinkedList } from '../waiting/linked-list.js';
import { WaitQueue } from '../waiting/wait-queue.js';
import type { WaitSettings } from '../waiting/wait-settings.js';
import type { QueueOwner } from '../waiting/waiter.js';
import { HeldPermit, type PermitHolder } from './held-permit.js';

type KeyPermit<K> = Permit & { readonly key: K };

/** What a group needs from the mutex. */
export interface KeyTable<K> {
  readonly source: object;
  /** The groups that wait. */
  readonly groups: LinkedList<Link<KeyGroup<K>>>;
  /** @throws ClosedError, and QueueFullError when a key that is held has too many waiters already. */
  checkRoom(keys: Iterable<K>): void;
  tryGrant(key: K): KeyPermit<K> | undefined;
  /** The waiters of a key that is held. */
  queue(key: K): { join(onGrant: (lease: KeyPermit<K>) => void, demand: void): { leave(): boolean } };
}

/** The keys, each once. A string is refused, because it would lock each of its letters. */
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
export class KeyGroup<K> implements QueueOwner, PermitHolder {
  readonly source: object;
  readonly permit: Promise<Permit>;
  readonly #keys: ReadonlySet<K>;
  readonly #leases: KeyPermit<K>[] = [];
  readonly #waiters: { leave(): boolean }[] = [];
  readonly #whole = new WaitQueue<Permit>(this);
  readonly #link = new Link<KeyGroup<K>>(this);

  constructor(table: KeyTable<K>, keys: ReadonlySet<K>, settings: WaitSettings) {
    this.source = table.source;
    this.#keys = keys;
    table.checkRoom(keys);
    for (const key of keys) {
      const lease = table.tryGrant(key);
      if (lease === undefined) this.#waiters.push(table.queue(key).join(this.#onGrant));
      else this.#leases.push(lease);
    }
    if (this.missingCount === 0) {
      this.permit = Promise.resolve(new HeldPermit(this));
    } else {
      table.groups.push(this.#link);
      this.permit = this.#whole.wait(settings);
    }
  }

  /** How many keys it still waits for. */
  get missingCount(): number {
    return this.#keys.size - this.#leases.length;
  }

  readonly #onGrant = (lease: KeyPermit<K>): void => {
    this.#leases.push(lease);
    watching.observer?.gathered(lease, this);
    if (this.missingCount > 0) return;
    this.#link.leave();
    this.#whole.grant(new HeldPermit(this));
  };

  release(): void {
    for (const lease of this.#leases) lease.release();
  }

  /** The caller gave up, so it gets none of the keys. */
  onLeave(): void {
    this.#link.leave();
    this.leaveQueues();
    this.release();
  }

  leaveQueues(): void {
    for (const waiter of this.#waiters) waiter.leave();
  }

  refuse(makeError: () => unknown): void {
    this.onLeave();
    this.#whole.refuseAll(makeError);
  }

  /** For an observer: the keys that are still missing, and the leases that it has. */
  missing(): Iterable<K> {
    const there = new Set(this.#leases.map(({ key }) => key));
    return [...this.#keys].filter((key) => !there.has(key));
  }

  gathered(): Iterable<Permit> {
    return this.#leases;
  }

  get parts(): Iterable<Permit> {
    return this.#leases;
  }

  describe(waitedMs: number): WaitDetails {
    return { key: [...this.#keys], waitedMs, held: this.#leases.length, waiting: 0, limit: this.#keys.size };
  }
}
