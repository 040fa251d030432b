/**
 * Dials whose slots a starving key may take (P16). A dial that nobody waits for gives its slot at once. Of dials that
 * last longer than a time slice, a key whose server has not answered keeps two, while a key that holds less than two
 * slots starves.
 */
import { now, setTimer, type Timer } from '../runtime/clock.js';
import type { DeferredCalls } from './deferred-calls.js';
import type { KeyState } from './key-state.js';
import type { Lifecycle } from './lifecycle.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';
import { type StarvedKeys, timeSliceMs } from './starved-keys.js';

/** Slots that a key keeps for its dials, and that every key should have. */
const few = 2;

export class TakenDials<C, K> {
  readonly #settings: PoolSettings;
  readonly #deferred: DeferredCalls;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #starved: StarvedKeys<C, K>;
  readonly #onTurn: () => void;
  #turn: { readonly dueMs: number; readonly timer: Timer } | undefined;

  constructor(
    settings: PoolSettings,
    deferred: DeferredCalls,
    lifecycle: Lifecycle<C, K>,
    starved: StarvedKeys<C, K>,
    onTurn: () => void,
  ) {
    this.#settings = settings;
    this.#deferred = deferred;
    this.#lifecycle = lifecycle;
    this.#starved = starved;
    this.#onTurn = onTurn;
  }

  /** Takes as many as are missing. While time alone can change what may be taken, it looks again after a time slice. */
  take(): void {
    const { counts, dials } = this.#lifecycle;
    if (this.#starved.demand === 0 || counts.total < this.#settings.max) {
      this.#turn?.timer.cancel();
      this.#turn = undefined;
      return;
    }
    const nowMs = now();
    for (const slot of [...dials]) {
      if (counts.leaving >= this.#starved.demand) break;
      if (slot.state === 'connecting' && this.#mayTake(slot, nowMs)) this.#take(slot, nowMs);
    }
    this.#reviewAt(this.#nextChangeMs(nowMs), nowMs);
  }

  /** When time alone may change what can be taken: a dial begins to hang, or a key that was in doubt may be tried again. */
  #nextChangeMs(nowMs: number): number {
    let dueMs = this.#starved.nextTrialMs;
    for (const { bornMs } of this.#lifecycle.dials) {
      if (bornMs + timeSliceMs > nowMs) dueMs = Math.min(dueMs, bornMs + timeSliceMs);
    }
    return dueMs;
  }

  #reviewAt(dueMs: number, nowMs: number): void {
    if (dueMs >= (this.#turn?.dueMs ?? Infinity)) return;
    this.#turn?.timer.cancel();
    const delayMs = Math.max(0, dueMs - nowMs);
    const timer = this.#deferred.context.run(setTimer, this.#review, delayMs, { background: true });
    this.#turn = { dueMs, timer };
  }

  readonly #review = (): void => {
    this.#turn = undefined;
    this.#deferred.run(this.#onTurn);
  };

  #mayTake(slot: Slot<C, K>, nowMs: number): boolean {
    const { key } = slot;
    const { leaving } = this.#lifecycle.counts;
    if (isSurplus(key, this.#settings)) return this.#starved.demand - key.demand > leaving;
    const taker = this.#starved.first;
    if (taker === undefined || taker === key || taker.counts.total >= few) return false;
    const hangs = nowMs - slot.bornMs >= timeSliceMs && key.trust !== 'answers';
    return hangs && key.counts.connecting > few && this.#starved.promisingDemand > leaving;
  }

  #take(slot: Slot<C, K>, nowMs: number): void {
    if (nowMs - slot.bornMs >= timeSliceMs) slot.key.doubt(nowMs);
    const reason = new DOMException('another key needs the slot of this dial', 'AbortError');
    this.#lifecycle.giveUpDial(slot, 'evicted', reason);
  }
}

/** Whether the key has more dials than its waiters need. */
function isSurplus<C, K>({ counts, waiting }: KeyState<C, K>, settings: PoolSettings): boolean {
  return (counts.connecting - 1) * settings.leasesPerConnection >= waiting;
}
