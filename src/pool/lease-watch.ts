/**
 * Watches every lease: how long a caller waits for one, and how long it is held. Every lease is created in one place
 * (matching.ts), so no way to acquire can miss the watch.
 */
import type { Awaitable } from '../contract/types.js';
import { type Exposed, exposed, tracingChannel } from '../runtime/channels.js';
import { setTimer } from '../runtime/clock.js';
import type { DeferredCalls } from './deferred-calls.js';
import type { Hooks } from './hooks.js';
import type { PoolLease } from './lease.js';
import type { PoolState } from './pool-state.js';

/** Published on the tracing channel `latchkey:pool:acquire`: every acquire, also one that need not wait. */
export interface PoolAcquireMessage {
  readonly source: object;
  readonly key?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

const acquires = /* @__PURE__ */ tracingChannel<PoolAcquireMessage>('latchkey:pool:acquire');

/** The stack of an acquire; `undefined` while leaks are not watched. */
export type Trace = Error | undefined;

export class LeaseWatch<C, K> {
  readonly #warnAfterMs: number;
  readonly #hooks: Hooks<C, K>;
  readonly #deferred: DeferredCalls;

  constructor({ settings, hooks, deferred }: PoolState<C, K>) {
    this.#warnAfterMs = settings.leakWarnAfterMs;
    this.#hooks = hooks;
    this.#deferred = deferred;
  }

  get isTraced(): boolean {
    return acquires.start.hasSubscribers;
  }

  /** Acquires, and publishes the acquire from its start to its end. */
  traceAcquire<T>(key: K, acquire: () => Awaitable<T>): Promise<T> {
    return acquires.tracePromise(async () => acquire(), this.#message(key));
  }

  /** The same for a call that answers at once. */
  traceTry<T>(key: K, attempt: () => T): T {
    let end!: () => T;
    const outcome = async () => {
      try {
        const answer = attempt();
        end = () => answer;
        return answer;
      } catch (error) {
        end = () => {
          throw error;
        };
        throw error;
      }
    };
    acquires.tracePromise(outcome, this.#message(key)).catch(() => {});
    return end();
  }

  /** Called where a caller asks: the stack is the caller's. */
  trace(): Trace {
    return this.#warnAfterMs === Infinity ? undefined : new Error('the lease was acquired here');
  }

  #message(key: K): Exposed<PoolAcquireMessage> {
    return exposed({ source: this.#hooks.source, key });
  }

  /** Reports a lease that is held for too long, and its return if it comes back after all. */
  onBirth(lease: PoolLease<C, K>, trace: Error): void {
    const { key } = lease;
    const report = () => {
      lease.onEnd(() => this.#hooks.emit({ type: 'leakReturned', key, heldMs: lease.heldMs }));
      this.#hooks.emit({ type: 'leak', key, heldMs: lease.heldMs, stack: trace.stack ?? '' });
    };
    const timer = this.#deferred.context.run(setTimer, report, this.#warnAfterMs, { background: true });
    lease.onEnd(() => timer.cancel());
  }
}
