import { Link } from '../waiting/linked-list.js';
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
  connection: C | undefined = undefined;
  /** When its lifetime is over, counted from its arrival. */
  expiresMs = Infinity;
  idleSinceMs = 0;
  /** Set once the connection takes no new lease: why it is going to be closed. */
  retireReason: CloseReason | undefined = undefined;
  /** What `lost` was told. */
  lostError: unknown = undefined;
  /** Leased, with a `retireReason`, and counted as such. */
  retiring = false;
  /** In no order. A linked list of its own for each connection would cost a tenth of an acquire. */
  readonly leases: PoolLease<C, K>[] = [];
  /** Among the key's connections with room for a lease, the most recently used last. */
  readonly spare = new Link<Slot<C, K>>(this);
  /** Among the pool's idle connections, the least recently used first. */
  readonly idle = new Link<Slot<C, K>>(this);
  /** Gives up what is going on outside: a dial, a validation or a reset. */
  interrupt: ((reason: unknown) => void) | undefined = undefined;

  constructor(key: KeyState<C, K>, bornMs: number) {
    this.key = key;
    this.generation = key.generation;
    this.failuresBefore = key.failures;
    this.bornMs = bornMs;
  }

  addLease(lease: PoolLease<C, K>): void {
    lease.index = this.leases.length;
    this.leases.push(lease);
  }

  /** The last one takes its place. */
  removeLease(lease: PoolLease<C, K>): void {
    const last = this.leases.pop()!;
    if (last === lease) return;
    last.index = lease.index;
    this.leases[lease.index] = last;
  }
}
