/**
 * Dials whose slots a starving key may take (P16). A dial without a waiter gives its slot at once. While a key that
 * holds less than two slots starves, a key whose dials hang keeps two: its leases, and then the newest of its dials. A
 * dial hangs when it lasts longer than a time slice and its server has not answered meanwhile.
 */
import { now, setTimer, type Timer } from '../runtime/clock.js';
import type { Lifecycle } from './lifecycle.js';
import type { PoolState } from './pool-state.js';
import type { Slot } from './slot.js';
import { timeSliceMs } from './starved-keys.js';

/** Slots that a key keeps while its dials hang, and that every key should have. */
const few = 2;

export class TakenDials<C, K> {
  readonly #state: PoolState<C, K>;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #onTurn: () => void;
  /** The slots of taken dials that have not ended, and when each was taken. */
  readonly #taken = new Map<Slot<C, K>, number>();
  #turn: { readonly dueMs: number; readonly timer: Timer } | undefined;

  constructor(state: PoolState<C, K>, lifecycle: Lifecycle<C, K>, onTurn: () => void) {
    this.#state = state;
    this.#lifecycle = lifecycle;
    this.#onTurn = onTurn;
  }

  /** Takes dials that hang, as many as are missing. */
  takeHanging(): void {
    const { counts, dials, starved } = this.#state;
    const taker = starved.first;
    if (taker === undefined || taker.counts.total >= few) return;
    const nowMs = now();
    for (const slot of dials) {
      const { key, bornMs } = slot;
      if (nowMs - bornMs < timeSliceMs || counts.leaving >= starved.promisingDemand) return;
      const isSilent = key.server.answeredMs < bornMs;
      if (isSilent && key !== taker && key.counts.total - key.counts.leaving > few) this.#take(slot, nowMs);
    }
  }

  /** Takes dials without a waiter. When time alone can change what may be taken, it looks again at that time. */
  takeSurplus(): void {
    const { counts, dials, starved, settings } = this.#state;
    if (starved.demand === 0 || counts.total < settings.max) {
      this.#turn?.timer.cancel();
      this.#turn = undefined;
      this.countIgnored();
      return;
    }
    const nowMs = now();
    for (const slot of dials) {
      if (counts.leaving >= starved.demand) break;
      const { key } = slot;
      const isSurplus = (key.counts.connecting - 1) * settings.leasesPerConnection >= key.waiting;
      if (isSurplus && starved.demand - key.demand > counts.leaving) this.#take(slot, nowMs);
    }
    this.#reviewWhenChanged(nowMs);
  }

  /** Slots of dials that were taken a time slice ago: their hooks ignore the signal, so their end may be far. */
  countIgnored(): number {
    if (this.#taken.size === 0) return 0;
    const nowMs = now();
    let ignored = 0;
    for (const [slot, takenMs] of this.#taken) {
      if (slot.state === 'gone') this.#taken.delete(slot);
      else if (takenMs + timeSliceMs <= nowMs) ignored++;
    }
    return ignored;
  }

  #take(slot: Slot<C, K>, nowMs: number): void {
    if (nowMs - slot.bornMs >= timeSliceMs) slot.key.server.doubt(nowMs);
    this.#taken.set(slot, nowMs);
    const reason = new DOMException('another key needs the slot of this dial', 'AbortError');
    this.#lifecycle.giveUpDial(slot, 'evicted', reason);
  }

  /** A dial begins to hang, one that was taken proves to ignore it, or a key in doubt may be tried again. */
  #reviewWhenChanged(nowMs: number): void {
    const { starved, dials } = this.#state;
    let dueMs = starved.nextTrialMs;
    const endsSlice = (startMs: number) => {
      if (startMs + timeSliceMs <= nowMs) return false;
      dueMs = Math.min(dueMs, startMs + timeSliceMs);
      return true;
    };
    // Both are in the order of time, so the first that is still to come counts.
    for (const { bornMs } of dials) if (endsSlice(bornMs)) break;
    for (const takenMs of this.#taken.values()) if (endsSlice(takenMs)) break;
    this.#reviewAt(dueMs, nowMs);
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
}
