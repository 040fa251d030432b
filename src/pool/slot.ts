import { Place } from '../linked-list.js';
import type { CloseReason } from './connector.js';
import type { KeyState } from './key-state.js';
import type { PoolLease } from './lease.js';

/**
 *   connecting ──► idle ◄──► leased
 *       │           │ ▲         │
 *       │           ▼ │         │
 *       │        checking ◄─────┤      checking: in `validate` or `reset`
 *       │           │           │
 *       └────────►closing◄──────┘      closing: also a dial that was given up and has not settled yet
 *                   │
 *                   ▼
 *                 gone
 */
export type SlotState = 'connecting' | 'idle' | 'leased' | 'checking' | 'closing' | 'gone';

/** How many slots stand in each state: one for the pool and one per key. */
export class Census {
  connecting = 0;
  idle = 0;
  leased = 0;
  checking = 0;
  closing = 0;
  /** Those of the past: what leaves the other counts must arrive somewhere. */
  gone = 0;
  /** Of the leased: those that take no new lease and close when the last one returns. */
  retiring = 0;

  move(from: SlotState, to: SlotState): void {
    // The two moves of every use are spelled out: counts looked up by name cost a quarter of an acquire.
    if (from === 'idle' && to === 'leased') {
      this.idle--;
      this.leased++;
    } else if (from === 'leased' && to === 'idle') {
      this.leased--;
      this.idle++;
    } else {
      this[from]--;
      this[to]++;
    }
  }

  get total(): number {
    return this.connecting + this.idle + this.leased + this.checking + this.closing;
  }

  /** Slots on their way out: each will be free without anybody doing more. */
  get leaving(): number {
    return this.closing + this.retiring;
  }
}

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
  readonly spare = new Place<Slot<C, K>>(this);
  /** Among the pool's idle connections, the least recently used first. */
  readonly idle = new Place<Slot<C, K>>(this);
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
