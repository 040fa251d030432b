/** What others see of a pool: its statistics, the details of its errors, and the facts for an observer. */
import type { WaitDetails } from '../contract/errors.js';
import type { ObservedGrant } from '../runtime/observer.js';
import type { KeyState } from './key-state.js';
import { oldestLease } from './pool-errors.js';
import type { PoolState } from './pool-state.js';
import type { ConnectionPoolStats, KeyStats } from './reports.js';
import type { Slot } from './slot.js';

export function poolStats<C, K>({ counts, waiting, keys, counters }: PoolState<C, K>): ConnectionPoolStats {
  const { total, connecting, idle, leased, checking, closing } = counts;
  const gauges = { total, connecting, idle, leased, validating: checking, closing, waiting, keys: keys.size };
  return { ...gauges, ...counters };
}

export function keyStats<C, K>({ counts, waiting, server }: KeyState<C, K>): KeyStats {
  const { total, connecting, idle, leased, checking, closing } = counts;
  return {
    total,
    connecting,
    idle,
    leased,
    validating: checking,
    closing,
    waiting,
    failures: server.failures,
  };
}

/** For the error of a caller that got no connection; `waiting` are the other callers. */
export function waitDetails<C, K>(
  { counts, settings, slots }: PoolState<C, K>,
  key: K,
  waitedMs: number,
  waiting: number,
): WaitDetails {
  const { leased: held } = counts;
  return { held, limit: settings.max, hint: oldestLease(slots), key, waitedMs, waiting };
}

/** What an observer knows of a lease of this slot. */
export function grantOf<C, K>({ hooks, settings }: PoolState<C, K>, { key }: Slot<C, K>): ObservedGrant {
  return { source: hooks.source, key: key.key, weight: 1, limit: settings.max };
}

/** Whether a waiter of the key could still get a connection if these leases never ended. */
export function canServe<C, K>(
  { counts, slots, settings }: PoolState<C, K>,
  key: KeyState<C, K>,
  stuck: { has(lease: object): boolean },
): boolean {
  const isAtKeyLimit = key.counts.total >= key.maximum;
  if (counts.total < settings.max && !isAtKeyLimit) return true;
  for (const slot of slots) {
    if (isAtKeyLimit && slot.key !== key) continue;
    if (slot.key === key && slot.hasRoom) return true;
    if (slot.leases.length === 0 || slot.leases.some((lease) => !stuck.has(lease))) return true;
  }
  return false;
}
