import { ClosedError, LeaseLostError } from '../contract/errors.js';
import type { Awaitable } from '../contract/types.js';
import { now } from '../runtime/clock.js';
import { type ObservedGrant, watching } from '../runtime/observer.js';
import type { Lease } from './connector.js';
import type { Slot } from './slot.js';

/** What a lease asks of the pool. */
export interface LeaseOwner<C, K> {
  /** What an observer knows of a lease of this slot. */
  grantOf(slot: Slot<C, K>): ObservedGrant;
  giveBack(lease: PoolLease<C, K>, slot: Slot<C, K>, end: LeaseEnd): void;
  onDoubleRelease(lease: PoolLease<C, K>): void;
}

/** How a lease ended: well, with an error that the connector may judge, or destroyed. */
export type LeaseEnd = { how: 'well' } | { how: 'failed'; error: unknown } | { how: 'destroyed' };

const well: LeaseEnd = { how: 'well' };
const destroyed: LeaseEnd = { how: 'destroyed' };

/** All of its state is private: logging a lease must not print the key and the connection. */
export class PoolLease<C, K> implements Lease<C, K> {
  readonly #owner: LeaseOwner<C, K>;
  readonly #slot: Slot<C, K>;
  readonly #sinceMs: number;
  /** Its index in `slot.leases`. */
  #index = 0;
  #released = false;
  #onEnd: (() => void) | undefined = undefined;
  #lost: LeaseLostError | undefined = undefined;
  #controller: AbortController | undefined = undefined;

  /** Joins the leases of its slot. */
  constructor(owner: LeaseOwner<C, K>, slot: Slot<C, K>, sinceMs: number) {
    this.#owner = owner;
    this.#slot = slot;
    this.#sinceMs = sinceMs;
    this.#index = slot.leases.length;
    slot.leases.push(this);
    watching.observer?.granted(this, owner.grantOf(slot));
  }

  /** Leaves the leases of its slot; the last one takes its place. */
  leave(): void {
    const { leases } = this.#slot;
    const last = leases.pop()!;
    if (last === this) return;
    last.#index = this.#index;
    leases[this.#index] = last;
  }

  get key(): K {
    return this.#slot.key.key;
  }

  get connection(): C {
    if (this.#released) throw new ClosedError('the lease');
    return this.#slot.connection as C;
  }

  get released(): boolean {
    return this.#released;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#lost !== undefined) this.#controller.abort(this.#lost);
    }
    return this.#controller.signal;
  }

  get heldMs(): number {
    return now() - this.#sinceMs;
  }

  release(error?: unknown): void {
    this.#end(error === undefined ? well : { how: 'failed', error });
  }

  destroy(): Promise<void> {
    this.#end(destroyed);
    return this.#slot.whenGone();
  }

  start<T>(task: (connection: C, lease: Lease<C, K>) => Awaitable<T>): Awaitable<T> {
    return task(this.connection, this);
  }

  /** Its task has ended. The task may have released the lease before. */
  onSuccess(): void {
    if (!this.#released) this.#end(well);
  }

  onFailure(error: unknown): void {
    if (!this.#released) this.#end({ how: 'failed', error });
  }

  /** Sets a callback for the end of the lease. */
  onEnd(call: () => void): void {
    this.#onEnd = call;
  }

  /** Tells the holder that the connection is gone. */
  lose(message: string, cause: unknown): void {
    this.#lost = new LeaseLostError(message, { cause });
    this.#controller?.abort(this.#lost);
  }

  [Symbol.dispose](): void {
    if (!this.#released) this.release();
  }

  toJSON(): { released: boolean; heldMs: number } {
    return { released: this.#released, heldMs: this.heldMs };
  }

  get [Symbol.toStringTag](): string {
    return this.released ? 'released' : 'held';
  }

  #end(end: LeaseEnd): void {
    if (this.#released) {
      this.#owner.onDoubleRelease(this);
      return;
    }
    this.#released = true;
    watching.observer?.released(this);
    this.#onEnd?.();
    this.#owner.giveBack(this, this.#slot, end);
  }
}
