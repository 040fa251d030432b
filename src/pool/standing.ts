/** What a caller is told of how things stand when he gets no connection. */
import { ConnectError, printable } from '../errors.js';
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
    const first = leases.head;
    if (first !== undefined && (oldest === undefined || first.sinceMs < oldest.sinceMs)) oldest = first;
  }
  if (oldest === undefined) return undefined;
  const forKey = oldest.key === undefined ? '' : ` (key ${printable(oldest.key)})`;
  return `the oldest lease${forKey} is held for ${Math.round(oldest.heldMs)} ms`;
}
