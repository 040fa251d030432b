/** The end of a pool: one promise, and the grace that remains. */
import { ClosedError, withoutStack } from '../contract/errors.js';
import { now, setTimer, type Timer } from '../runtime/clock.js';
import type { IdleRules } from './idle-rules.js';
import type { KeyState } from './key-state.js';
import type { Lifecycle } from './lifecycle.js';
import type { PoolState } from './pool-state.js';

export class Closing<C, K> {
  readonly #state: PoolState<C, K>;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #idleRules: IdleRules<C, K>;
  readonly #pump: (key: KeyState<C, K>) => void;
  #promise: Promise<void> | undefined;
  #resolve = () => {};
  #isOver = false;
  #grace: { readonly endsMs: number; readonly timer: Timer } | undefined;

  constructor(
    state: PoolState<C, K>,
    lifecycle: Lifecycle<C, K>,
    idleRules: IdleRules<C, K>,
    pump: (key: KeyState<C, K>) => void,
  ) {
    this.#state = state;
    this.#lifecycle = lifecycle;
    this.#idleRules = idleRules;
    this.#pump = pump;
  }

  /** Later calls return the same promise; a shorter grace wins. */
  begin(graceMs: number, drain: boolean): Promise<void> {
    if (this.#promise === undefined) {
      this.#promise = new Promise((resolve) => {
        this.#resolve = resolve;
      });
      this.#start(drain);
    }
    this.#endWithin(graceMs);
    this.finishIfEmpty();
    return this.#promise;
  }

  #start(drain: boolean): void {
    this.#state.memory.clear();
    this.#idleRules.stop();
    if (drain && this.#state.waiting > 0) this.#state.phase = 'draining';
    else this.#endService();
  }

  #endWithin(graceMs: number): void {
    const endsMs = now() + graceMs;
    if (this.#isOver || endsMs >= (this.#grace?.endsMs ?? Infinity)) return;
    this.#grace?.timer.cancel();
    this.#grace = { endsMs, timer: this.#state.deferred.context.run(setTimer, this.#endGrace, graceMs) };
  }

  readonly #endGrace = (): void => {
    this.#state.deferred.run(() => {
      if (this.#state.phase === 'draining') this.#endService();
      for (const slot of [...this.#state.slots]) this.#lifecycle.shutDown(slot);
    });
  };

  /** Rejects all waiters and gives no more leases. */
  #endService(): void {
    this.#state.phase = 'closing';
    this.#state.deferred.run(() => {
      for (const key of [...this.#state.keys.values()]) {
        this.#state.refuse(key, () => withoutStack(() => new ClosedError('the connection pool')));
        this.#pump(key);
      }
      for (const slot of [...this.#state.slots]) {
        if (slot.leases.length > 0) this.#lifecycle.retire(slot, 'shutdown');
        else this.#lifecycle.shutDown(slot);
      }
    });
  }

  /** Called after everything that may have served the last waiter, or closed the last connection. */
  finishIfEmpty(): void {
    const { phase, waiting, counts } = this.#state;
    if (phase === 'draining' && waiting === 0) this.#endService();
    if (this.#state.phase !== 'closing' || counts.total > 0) return;
    this.#isOver = true;
    this.#grace?.timer.cancel();
    this.#resolve();
  }
}
