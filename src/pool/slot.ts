import { Link } from '../waiting/linked-list.js';
import type { Check } from './checks.js';
import type { CloseReason } from './connector.js';
import type { KeyState } from './key-state.js';
import type { PoolLease } from './lease.js';
import type { SlotState } from './slot-counts.js';

/** One of the pool's `max`: taken before the dial begins and given back after the close has ended. */
export class Slot<C, K> {
  readonly key: KeyState<C, K>;
  readonly generation: number;
  readonly bornMs: number;
  state: SlotState = 'connecting';
  /** The key's failures when the dial began: dials that fail together count as one failure. */
  readonly failuresBefore: number;
  /** The backoff that ended when the dial began. */
  readonly backoffBeforeMs: number;
  connection: C | undefined = undefined;
  /** Whether `ref` and `unref` have to be called for it. */
  countsReferences = false;
  connectedMs = 0;
  /** When its lifetime is over, counted from its arrival. */
  expiresMs = Infinity;
  /** When its last lease ended. A check does not change it. */
  idleSinceMs = 0;
  /** When it last answered: it arrived, a check said yes, or a lease ended well. */
  provenMs = 0;
  /** Leases that it may have at once. */
  capacity: number;
  /** Leases that it had. */
  uses = 0;
  /** Whether a lease on it ended well. */
  served = false;
  /** A shared connection that is validated beside its leases. */
  pinging = false;
  /** Being checked because the check of a sibling failed: it is not counted as a lease to come. */
  suspect = false;
  /** Set once the connection takes no new lease: why it is going to be closed. */
  retireReason: CloseReason | undefined = undefined;
  /** The error with which it was lost, refused or given back. */
  error: unknown = undefined;
  /** The backoff in milliseconds that its loss caused. */
  retryInMs: number | undefined = undefined;
  /** Leased, with a `retireReason`, and counted as such. */
  retiring = false;
  /** In no order. A linked list for each connection would cost a tenth of an acquire. */
  readonly leases: PoolLease<C, K>[] = [];
  /** Among the key's connections with room for a lease, the most recently used last. */
  readonly spare = new Link<Slot<C, K>>(this);
  /** Among the pool's idle connections, the least recently used first. */
  readonly idle = new Link<Slot<C, K>>(this);
  /** Interrupts the hook under way: a dial, a validation or a reset. */
  interrupt: ((reason: unknown) => void) | undefined = undefined;
  /** Its last check. */
  check: Check<C, K> | undefined = undefined;
  #gone: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined = undefined;

  constructor(key: KeyState<C, K>, bornMs: number, capacity: number) {
    this.key = key;
    this.generation = key.generation;
    this.failuresBefore = key.server.failures;
    this.backoffBeforeMs = key.server.backoffMs;
    this.bornMs = bornMs;
    this.capacity = capacity;
  }

  get hasRoom(): boolean {
    return this.leases.length < this.capacity;
  }

  /** Resolves when the connection is closed and the slot is free. */
  whenGone(): Promise<void> {
    if (this.state === 'gone') return Promise.resolve();
    if (this.#gone === undefined) {
      let resolve!: () => void;
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#gone = { promise, resolve };
    }
    return this.#gone.promise;
  }

  onGone(): void {
    this.#gone?.resolve();
  }
}
