/** What a caller is told of how things stand when he gets no connection. */
import { ConnectError, printable } from '../contract/errors.js';
import type { PoolLease } from './lease.js';
import type { Slot } from './slot.js';

export function connectError(key: unknown, cause: unknown): ConnectError {
  const target = key === undefined ? '' : ` to ${printable(key)}`;
  const reason = cause instanceof Error ? `: ${cause.message}` : '';
  return new ConnectError(`could not connect${target}${reason}`, { key, cause });
}

/** Whom to suspect when a wait was too long. */
export function oldestLease<C, K>(slots: Iterable<Slot<C, K>>): string | undefined {
  let oldest: PoolLease<C, K> | undefined;
  for (const { leases } of slots) {
    for (const lease of leases) if (oldest === undefined || lease.sinceMs < oldest.sinceMs) oldest = lease;
  }
  if (oldest === undefined) return undefined;
  const forKey = oldest.key === undefined ? '' : ` (key ${printable(oldest.key)})`;
  return `the oldest lease${forKey} is held for ${Math.round(oldest.heldMs)} ms`;
}
