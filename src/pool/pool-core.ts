/**
 * The pool's core: what callers ask. Read it first, then pool-state.ts (the facts), reactions.ts (what happens when
 * something ends), matching.ts (which connection serves which waiter) and demand.ts (which key gets the next slot).
 *
 * There is no `await` in the core. A synchronous section runs to its end, so a check and the effect that relies on it
 * are atomic without any lock. Dials, checks and closes happen outside and come back as a new section, which reads the state afresh. A lock held
 * across the connect would be correct too, and would serve 100 hosts one by one.
 *
 * Invariants (test/support/pool-world.ts and test/pool/random-pool.ts execute them, after steps and inside hooks)
 *   P1   connecting + idle + leased + checking + closing = total <= max, also as the connector counts them.
 *   P2   The same per key, <= maxPerKey.
 *   P3   Leases on a connection <= leasesPerConnection, and <= what the connection itself allows.
 *   P4   Every acquire settles exactly once.
 *   P5   Every connection that was made is closed exactly once, never while leased, except by a forced close.
 *   P6   While a key has waiters, it has no usable connection with room for a lease.
 *   P7   While a key's waiters are unmet: its slots or its dials are at their limit, or its backoff timer runs, or
 *        the pool is full and no slot may be taken for it.
 *   P8   A dial starts only for a waiter whom nothing under way will serve, or for `minIdle`.
 *   P9   A lease is for the asked key, of the current generation, not retiring and not past its lifetime.
 *   P10  Per key first come, first served.
 *   P11  After `close()` resolved: no slot, no timer, no event.
 *   P12  A key without slot and waiter is forgotten; of its failures a bounded memory remains.
 *   P13  User code is called between sections, when all of the above holds, and may call the pool back. The hooks that
 *        decide (keyId, isAlive, isReusable) are asked first, and the state is read again after their answer.
 *   P14  Before every lease on a connection that was used before, `isAlive` has said yes and a due `validate` has passed.
 *   P15  No connection of another key is closed for a key whose server failed or hung last, except for one probe per
 *        5 s; nor for a key that has dials under way and no answer since the last of them began.
 *   P16  A dial that nobody waits for gives its slot to a starving key. A key whose dials hang keeps two slots at most
 *        while another key holds less than two and wants one.
 *   P17  A dial belongs to a generation: after `reset` its outcome refuses nobody and starts no backoff.
 *   P18  While a key fails, at most one dial starts per backoff, and the backoff survives the callers.
 *   P19  A caller for whom a slot is free, or a connection is under way, is never refused by `maxWaiting`.
 *
 * Double-checked insertion: a dial answers a demand that may be gone when the connection arrives, so `offer` asks
 * again. It serves the oldest waiter, whichever caller caused the dial. Without waiters it keeps the connection, because
 * closing a good one is waste, unless connections are shared and a sibling has room already.
 *
 * Fairness between keys: keys that want a slot stand in one line and get one each per turn. The slot comes from a
 * free place, else from the least recently used idle connection of any key, else from a busy one whose time slice
 * is over.
 */

import { runAndReport } from '../calling/run-and-release.js';
import { ClosedError, QueueFullError } from '../contract/errors.js';
import type { Awaitable, PartitionedWaitOptions } from '../contract/types.js';
import { now } from '../runtime/clock.js';
import { type WaitSettings, waitSettings } from '../waiting/wait-settings.js';
import type { Task, Turn } from '../waiting/waiter.js';
import type { Lease } from './connector.js';
import type { DeferredCalls } from './deferred-calls.js';
import type { Hooks } from './hooks.js';
import type { KeyState } from './key-state.js';
import type { PoolLease } from './lease.js';
import type { LeaseWatch, Trace } from './lease-watch.js';
import type { Matching } from './matching.js';
import { PoolState } from './pool-state.js';
import { callersInLine } from './queue-room.js';
import { Reactions } from './reactions.js';
import type { ConnectionPoolStats, KeyStats } from './reports.js';
import type { PoolSettings } from './settings.js';
import { keyStats, poolStats, waitDetails } from './views.js';

/** What a caller does with its connection. */
export type UseTask<C, K, T> = (connection: C, lease: Lease<C, K>) => Awaitable<T>;

/** Runs a task whose turn has come. */
function start<C, K>({ task, granted }: Turn<PoolLease<C, K>>): Promise<unknown> {
  return runAndReport(granted, task as unknown as UseTask<C, K, unknown>);
}

export class PoolCore<C, K> {
  readonly #state: PoolState<C, K>;
  readonly #reactions: Reactions<C, K>;
  readonly #hooks: Hooks<C, K>;
  readonly #watch: LeaseWatch<C, K>;
  readonly #matching: Matching<C, K>;
  readonly #keepsIdle: boolean;
  readonly #defaults: WaitSettings;

  constructor(settings: PoolSettings, hooks: Hooks<C, K>, deferred: DeferredCalls) {
    this.#state = new PoolState(settings, hooks, deferred);
    this.#reactions = new Reactions(this.#state);
    this.#hooks = hooks;
    this.#watch = this.#reactions.watch;
    this.#matching = this.#reactions.matching;
    this.#keepsIdle = settings.minIdle > 0;
    const { waitTimeoutMs } = settings;
    this.#defaults =
      waitTimeoutMs === Infinity ? waitSettings(undefined) : { signal: undefined, waitTimeoutMs };
    if (this.#keepsIdle && hooks.hasOneTarget) queueMicrotask(() => this.#warmUp());
  }

  /** Whether a `keyId` tells keys apart: then every caller gives one. */
  get identifies(): boolean {
    return this.#hooks.identifies;
  }

  /** The lease itself when an idle connection is fit, else a promise of one. */
  acquire(key: K, options: PartitionedWaitOptions | undefined): PoolLease<C, K> | Promise<PoolLease<C, K>> {
    return this.#watch.isTraced
      ? this.#tracedAcquire(key, options)
      : this.#acquire(key, waitSettings(options, this.#defaults));
  }

  /** Apart from `acquire`: V8 allocates a context on every call of a function that contains closures. */
  #tracedAcquire(key: K, options: PartitionedWaitOptions | undefined): Promise<PoolLease<C, K>> {
    const acquire = () => this.#acquire(key, waitSettings(options, this.#defaults));
    return this.#watch.traceAcquire(key, acquire);
  }

  #acquire(key: K, settings: WaitSettings): PoolLease<C, K> | Promise<PoolLease<C, K>> {
    const id = this.#askKeyId(key);
    const trace = this.#watch.trace();
    const lease = this.#leaseAtOnce(key, id, trace);
    if (lease !== undefined) return lease;
    const state = this.#keyWithRoom(key, id);
    const promise = state.queue.wait(settings, trace);
    this.#onWait(state);
    return promise;
  }

  /** Runs a task with a lease. A task that must wait does so in the queue, not in a closure. */
  use(key: K, task: UseTask<C, K, unknown>, options: PartitionedWaitOptions | undefined): Promise<unknown> {
    if (this.#watch.isTraced) return this.#tracedUse(key, task, options);
    const settings = waitSettings(options, this.#defaults);
    const id = this.#askKeyId(key);
    const trace = this.#watch.trace();
    const lease = this.#leaseAtOnce(key, id, trace);
    if (lease !== undefined) return runAndReport(lease, task);
    const state = this.#keyWithRoom(key, id);
    const promise = state.queue.waitAndStart(
      settings,
      trace,
      task as unknown as Task<PoolLease<C, K>>,
      start,
    );
    this.#onWait(state);
    return promise;
  }

  #tracedUse(
    key: K,
    task: UseTask<C, K, unknown>,
    options: PartitionedWaitOptions | undefined,
  ): Promise<unknown> {
    return this.#tracedAcquire(key, options).then((lease) => runAndReport(lease, task));
  }

  /** The lease of an idle connection that is fit at once; it never dials. */
  tryAcquire(key: K): PoolLease<C, K> | undefined {
    const attempt = () => this.#tryAcquire(key);
    return this.#watch.isTraced ? this.#watch.traceTry(key, attempt) : attempt();
  }

  #tryAcquire(key: K): PoolLease<C, K> | undefined {
    return this.#leaseAtOnce(key, this.#askKeyId(key), this.#watch.trace());
  }

  #askKeyId(key: K): unknown {
    const id = this.#hooks.keyId(key);
    this.#state.checkOpen();
    return id;
  }

  #leaseAtOnce(key: K, id: unknown, trace: Trace): PoolLease<C, K> | undefined {
    const known = this.#state.keys.get(id);
    if (known === undefined) return undefined;
    this.#noteUse(known, key);
    const lease = this.#matching.leaseAtOnce(known, trace);
    if (lease === undefined) return undefined;
    if (this.#keepsIdle) this.#reactions.pump(known);
    this.#state.deferred.end();
    return lease;
  }

  /** A caller asks for the key, with the newest object for its id. */
  #noteUse(state: KeyState<C, K>, key: K): void {
    if (this.#hooks.identifies) state.key = key;
    if (this.#keepsIdle) state.usedMs = now();
  }

  /** The key in whose queue a caller is about to wait. @throws QueueFullError */
  #keyWithRoom(key: K, id: unknown): KeyState<C, K> {
    const state = this.#state.keyFor(key, id, this.#reactions);
    this.#noteUse(state, key);
    this.#checkLine(state);
    this.#state.waiting++;
    return state;
  }

  #onWait(state: KeyState<C, K>): void {
    this.#reactions.pump(state);
    this.#state.deferred.end();
  }

  /** @throws QueueFullError when too many callers wait beyond the capacity (P19). */
  #checkLine(key: KeyState<C, K>): void {
    const { settings, counts, keys, waiting } = this.#state;
    const { maxWaiting, maxWaitingPerKey } = settings;
    if (waiting < maxWaiting && key.waiting < maxWaitingPerKey) return;
    const line = callersInLine(key, keys.values(), counts, settings);
    if (line.ofKey === 0 || (line.ofKey <= maxWaitingPerKey && line.inAll <= maxWaiting)) return;
    this.#state.forgetIfQuiet(key);
    throw new QueueFullError(waitDetails(this.#state, key.key, 0, waiting));
  }

  /** `reset` without a key means all of them. */
  reset(...keys: K[]): void {
    const known = this.#state.keys;
    const ids = keys.length === 0 ? [...known.keys()] : keys.map((key) => this.#hooks.keyId(key));
    const states = new Set<KeyState<C, K>>();
    for (const [i, id] of ids.entries()) {
      const state = known.get(id);
      if (state === undefined) this.#state.memory.forget(id);
      else states.add(state);
      if (state !== undefined && keys.length > 0) state.key = keys[i] as K;
    }
    if (keys.length === 0) this.#state.memory.clear();
    const { lifecycle } = this.#reactions;
    this.#state.deferred.run(() => {
      for (const state of states) state.startGeneration();
      for (const slot of [...this.#state.slots]) {
        if (!states.has(slot.key)) continue;
        if (slot.state !== 'connecting') lifecycle.retire(slot, 'reset');
        else lifecycle.giveUpDial(slot, 'reset', new ClosedError('the generation of the connection'));
      }
      for (const state of states) this.#reactions.pump(state);
    });
  }

  /** Sets the cap. Waiters that it has room for now are dialled for in this turn. */
  resize(max: number): void {
    this.#state.settings.max = max;
    this.#state.deferred.run(() => {
      this.#reactions.demand.fit();
      for (const key of [...this.#state.keys.values()]) this.#reactions.pump(key);
    });
  }

  close(graceMs: number, drain: boolean): Promise<void> {
    return this.#reactions.closing.begin(graceMs, drain);
  }

  /** Rejects all waiters, and stays open. */
  refuseWaiting(makeError: () => unknown): void {
    this.#state.deferred.run(() => {
      for (const key of [...this.#state.keys.values()]) {
        this.#state.refuse(key, makeError);
        this.#reactions.pump(key);
      }
      this.#reactions.closing.finishIfEmpty();
    });
  }

  #warmUp(): void {
    if (this.#state.phase !== 'open') return;
    const state = this.#state.keyFor(undefined as K, undefined, this.#reactions);
    this.#state.deferred.run(() => this.#reactions.pump(state));
  }

  stats(): ConnectionPoolStats {
    return poolStats(this.#state);
  }

  keyStats(key: K): KeyStats | undefined {
    const state = this.#state.keys.get(this.#hooks.keyId(key));
    return state && keyStats(state);
  }

  *keys(): IterableIterator<K> {
    for (const { key } of this.#state.keys.values()) yield key;
  }

  get waiting(): number {
    return this.#state.waiting;
  }

  get max(): number {
    return this.#state.settings.max;
  }
}
