/**
 * Which key gets the next slot. Keys that want a slot stand in one line and get one each per turn: from a free place,
 * from a dial that hangs, from an idle connection of another key, or from a dial without a waiter. During its
 * backoff a key wants none.
 */
import { now, setTimer } from '../runtime/clock.js';
import type { Dialler } from './dialler.js';
import type { KeyState } from './key-state.js';
import type { Lifecycle } from './lifecycle.js';
import type { PoolState } from './pool-state.js';
import { TakenDials } from './taken-dials.js';

export class Demand<C, K> {
  readonly #state: PoolState<C, K>;
  readonly #lifecycle: Lifecycle<C, K>;
  readonly #dialler: Dialler<C, K>;
  readonly #takenDials: TakenDials<C, K>;
  readonly #pump: (key: KeyState<C, K>) => void;

  constructor(
    state: PoolState<C, K>,
    lifecycle: Lifecycle<C, K>,
    dialler: Dialler<C, K>,
    pump: (key: KeyState<C, K>) => void,
  ) {
    this.#state = state;
    this.#lifecycle = lifecycle;
    this.#dialler = dialler;
    this.#pump = pump;
    this.#takenDials = new TakenDials(state, lifecycle, () => {
      state.starved.review();
      this.serve();
    });
  }

  /** Says how many slots the key wants now, or arms its timer while its backoff runs. */
  update(key: KeyState<C, K>): void {
    const wanted = this.#state.phase === 'closing' ? 0 : key.slotsWanted;
    const waitsForRetry = wanted > 0 && key.server.backsOff;
    if (waitsForRetry) this.retryLater(key, 'foreground');
    else key.server.endRetry();
    this.#state.starved.want(key, waitsForRetry ? 0 : wanted);
  }

  /** One slot per key and turn, as long as there are any; then one is taken for each that is still missing. */
  serve(): void {
    const { counts, idle, starved, counters, settings } = this.#state;
    const { max, maxConnectingTotal } = settings;
    while (starved.demand > 0 && counts.total < max && counts.connecting < maxConnectingTotal) {
      const key = starved.next()!;
      this.#dialler.dial(key);
      this.update(key);
    }
    if (starved.demand > 0 && counts.total >= max) {
      this.#takenDials.takeHanging();
      const ignored = this.#takenDials.countIgnored();
      const missing = () => starved.promisingDemand + counts.total + ignored - max - counts.leaving;
      for (let { head } = idle; head !== undefined && missing() > 0; head = idle.head) {
        counters.evicted++;
        this.#lifecycle.retire(head.item, 'evicted');
      }
    }
    this.#takenDials.takeSurplus();
  }

  /** The cap was lowered: closes idle connections, then gives up the youngest dials. Leases keep theirs. */
  fit(): void {
    const { counts, idle, dials, settings } = this.#state;
    const isOver = () => counts.total - counts.leaving > settings.max;
    for (let { head } = idle; head !== undefined && isOver(); head = idle.head) {
      this.#lifecycle.retire(head.item, 'evicted');
    }
    for (const slot of [...dials].reverse()) {
      if (isOver())
        this.#lifecycle.giveUpDial(slot, 'evicted', new DOMException('max was lowered', 'AbortError'));
    }
  }

  /** Foreground keeps the process alive, because a caller waits for this backoff to end. */
  retryLater(key: KeyState<C, K>, where: 'foreground' | 'background'): void {
    const { server } = key;
    const background = where === 'background';
    const dueMs = server.retryAtMs;
    if (server.retry?.dueMs === dueMs && server.retry.background === background) return;
    server.endRetry();
    const { deferred } = this.#state;
    const end = () => {
      server.endRetry();
      // A timer that fired counts, whatever the clock says: fake timers often leave the clock alone.
      if (server.retryAtMs === dueMs) server.retryAtMs = Math.min(dueMs, now());
      deferred.run(() => this.#pump(key));
    };
    const timer = deferred.context.run(setTimer, end, Math.max(0, dueMs - now()), { background });
    server.retry = { dueMs, timer, background };
  }
}
