/**
 * Dials whose slots a starving key may take (P16). A dial without a waiter gives its slot at once. Of dials that
 * last longer than a time slice, a key whose server has not answered keeps two, while a key that holds less than two
 * slots starves.
 */
import { now, setTimer, type Timer } from '../runtime/clock.js';
import type { KeyState } from './key-state.js';
import type { Lifecycle } from './lifecycle.js';
import type { PoolState } from './pool-state.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';
import { timeSliceMs } from './starved-keys.js';

/** Slots that a key keeps for its dials, and that every key should have. */
const few = 2;

export class TakenDials<C, K> {
  readonly #state: PoolState<C, K>;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #onTurn: () => void;
  #turn: { readonly dueMs: number; readonly timer: Timer } | undefined;

  constructor(state: PoolState<C, K>, lifecycle: Lifecycle<C, K>, onTurn: () => void) {
    this.#state = state;
    this.#lifecycle = lifecycle;
    this.#onTurn = onTurn;
  }

  /** Takes as many as are missing. When time alone can change what may be taken, it looks again at that time. */
  take(): void {
    const { counts, dials, starved, settings } = this.#state;
    if (starved.demand === 0 || counts.total < settings.max) {
      this.#turn?.timer.cancel();
      this.#turn = undefined;
      return;
    }
    const nowMs = now();
    for (const slot of [...dials]) {
      if (counts.leaving >= starved.demand) break;
      if (slot.state === 'connecting' && this.#mayTake(slot, nowMs)) this.#take(slot, nowMs);
    }
    this.#reviewAt(this.#nextChangeMs(nowMs), nowMs);
  }

  /** When time alone may change what can be taken: a dial begins to hang, or a key that was in doubt may be tried again. */
  #nextChangeMs(nowMs: number): number {
    const { starved, dials } = this.#state;
    let dueMs = starved.nextTrialMs;
    for (const { bornMs } of dials) {
      if (bornMs + timeSliceMs > nowMs) dueMs = Math.min(dueMs, bornMs + timeSliceMs);
    }
    return dueMs;
  }

  #reviewAt(dueMs: number, nowMs: number): void {
    if (dueMs >= (this.#turn?.dueMs ?? Infinity)) return;
    this.#turn?.timer.cancel();
    const delayMs = Math.max(0, dueMs - nowMs);
    const timer = this.#state.deferred.context.run(setTimer, this.#review, delayMs, { background: true });
    this.#turn = { dueMs, timer };
  }

  readonly #review = (): void => {
    this.#turn = undefined;
    this.#state.deferred.run(this.#onTurn);
  };

  #mayTake(slot: Slot<C, K>, nowMs: number): boolean {
    const { key } = slot;
    const { counts, starved, settings } = this.#state;
    if (isSurplus(key, settings)) return starved.demand - key.demand > counts.leaving;
    const taker = starved.first;
    if (taker === undefined || taker === key || taker.counts.total >= few) return false;
    const hangs = nowMs - slot.bornMs >= timeSliceMs && key.server.trust !== 'answers';
    return hangs && key.counts.connecting > few && starved.promisingDemand > counts.leaving;
  }

  #take(slot: Slot<C, K>, nowMs: number): void {
    if (nowMs - slot.bornMs >= timeSliceMs) slot.key.server.doubt(nowMs);
    const reason = new DOMException('another key needs the slot of this dial', 'AbortError');
    this.#lifecycle.giveUpDial(slot, 'evicted', reason);
  }
}

/** Whether the key has more dials than its waiters need. */
function isSurplus<C, K>({ counts, waiting }: KeyState<C, K>, settings: PoolSettings): boolean {
  return (counts.connecting - 1) * settings.leasesPerConnection >= waiting;
}
