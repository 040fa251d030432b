/**
 * The facts of a pool: its slots, its keys, and the counts that bound them. The other files change them, each by one
 * rule; a slot changes its state only here, so that the counts always agree with the slots.
 */
import { ClosedError } from '../contract/errors.js';
import { type Link, LinkedList } from '../waiting/linked-list.js';
import type { DeferredCalls } from './deferred-calls.js';
import { FailureMemory } from './failure-memory.js';
import type { Hooks } from './hooks.js';
import { type KeyOwner, KeyState } from './key-state.js';
import type { ConnectionPoolEvent } from './reports.js';
import type { PoolSettings } from './settings.js';
import type { Slot } from './slot.js';
import { SlotCounts, type SlotState } from './slot-counts.js';
import { StarvedKeys } from './starved-keys.js';

export class PoolState<C, K> {
  readonly settings: PoolSettings;
  readonly hooks: Hooks<C, K>;
  readonly deferred: DeferredCalls;
  readonly counts = new SlotCounts();
  readonly slots = new Set<Slot<C, K>>();
  /** The slots that are connecting, the oldest first. */
  readonly dials = new Set<Slot<C, K>>();
  /** Idle connections of all keys, the least recently used first. */
  readonly idle = new LinkedList<Link<Slot<C, K>>>();
  /** The keys that have a slot or a waiter, by their id. */
  readonly keys = new Map<unknown, KeyState<C, K>>();
  /** The failures of keys that have neither. */
  readonly memory = new FailureMemory();
  /** The keys that want a slot and have none yet. */
  readonly starved = new StarvedKeys<C, K>();
  /** Callers that wait, for all keys. */
  waiting = 0;
  /** `draining`: newcomers are refused, and the waiters are still served. */
  phase: 'open' | 'draining' | 'closing' = 'open';
  readonly counters = {
    acquired: 0,
    connected: 0,
    connectFailed: 0,
    timedOut: 0,
    aborted: 0,
    evicted: 0,
    rebalanced: 0,
    abandoned: 0,
  };

  constructor(settings: PoolSettings, hooks: Hooks<C, K>, deferred: DeferredCalls) {
    this.settings = settings;
    this.hooks = hooks;
    this.deferred = deferred;
  }

  /** Takes a slot for a dial. */
  add(slot: Slot<C, K>): void {
    this.slots.add(slot);
    this.dials.add(slot);
    this.counts.connecting++;
    slot.key.counts.connecting++;
  }

  /** The two moves of every use: `move` would cost a tenth of it. */
  lend(slot: Slot<C, K>): void {
    if (slot.state !== 'idle') {
      this.move(slot, 'leased');
      return;
    }
    this.counts.lend();
    slot.key.counts.lend();
    slot.state = 'leased';
  }

  rest(slot: Slot<C, K>): void {
    if (slot.state !== 'leased') {
      this.move(slot, 'idle');
      return;
    }
    this.counts.rest();
    slot.key.counts.rest();
    slot.state = 'idle';
  }

  move(slot: Slot<C, K>, to: SlotState): void {
    const from = slot.state;
    this.counts.move(from, to);
    slot.key.counts.move(from, to);
    slot.state = to;
    if (from === 'connecting') this.dials.delete(slot);
    else if (from === 'checking' && slot.suspect) {
      slot.suspect = false;
      slot.key.suspects--;
    }
  }

  setRetiring(slot: Slot<C, K>, retiring: boolean): void {
    if (slot.retiring === retiring) return;
    slot.retiring = retiring;
    const step = retiring ? 1 : -1;
    this.counts.retiring += step;
    slot.key.counts.retiring += step;
  }

  remove(slot: Slot<C, K>): void {
    this.move(slot, 'gone');
    this.slots.delete(slot);
    slot.onGone();
  }

  /** @throws ClosedError. Asked after every hook that decides: it may have closed the pool. */
  checkOpen(): void {
    if (this.phase !== 'open') throw new ClosedError('the connection pool');
  }

  /** The key of this id, for a new waiter. What is remembered of its failures goes with it. */
  keyFor(key: K, id: unknown, owner: KeyOwner<C, K>): KeyState<C, K> {
    const ownMaximum = this.keys.has(id) ? undefined : this.#askMaximum(key);
    this.checkOpen();
    return this.keys.get(id) ?? this.#newKey(key, id, owner, ownMaximum);
  }

  #askMaximum(key: K): number | undefined {
    const { maxPerKey } = this.settings;
    return typeof maxPerKey === 'function' ? this.hooks.maxPerKey(maxPerKey, key) : maxPerKey;
  }

  #newKey(key: K, id: unknown, owner: KeyOwner<C, K>, ownMaximum: number | undefined): KeyState<C, K> {
    const state = new KeyState<C, K>(key, id, this.settings, owner, ownMaximum);
    const failures = this.memory.take(id);
    if (failures !== undefined) state.server.restore(failures);
    this.keys.set(id, state);
    return state;
  }

  forgetIfQuiet(key: KeyState<C, K>): void {
    if (!key.quiet || this.keys.get(key.id) !== key) return;
    this.keys.delete(key.id);
    if (key.server.failures > 0 && this.phase === 'open') this.memory.keep(key.id, key.server.toRemember());
  }

  /** Rejects all waiters of a key. */
  refuse(key: KeyState<C, K>, makeError: () => unknown): void {
    this.waiting -= key.waiting;
    key.queue.refuseAll(makeError);
  }

  emit(event: ConnectionPoolEvent): void {
    if (this.hooks.listens) this.deferred.afterwards(() => this.hooks.emit(event));
  }
}
