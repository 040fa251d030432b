/** How long leases last, and how callers of this process wait: the options of every lock across processes. */
import { checkDuration, checkLimit, type OptionNames } from '../contract/arguments.js';
import type { LockOptions } from '../contract/types.js';
import { type LockSettings, lockOptionNames, lockSettings } from '../waiting/lock-settings.js';
import { checkName } from './key-name.js';

/**
 * How long a lease lasts, and how callers of this process wait. `maxWaiting` counts per key, without the one caller for which the
 * database is asked.
 */
export interface LeaseOptions extends LockOptions {
  /** How long a lease lasts unless it is renewed, in milliseconds, at least 100. Default 10_000; renewed after each third. */
  ttlMs?: number | undefined;
  /**
   * For how many milliseconds a lease is renewed, so that a task that hangs does not keep its key. Default ten times
   * `ttlMs`; `Infinity` for tasks that may take any time.
   */
  maxHoldMs?: number | undefined;
  /** Stands in the database beside a lock, so that others can see who holds it. Default: the host's name and the process id. */
  owner?: string | undefined;
}

export const leaseOptionNames: OptionNames<LeaseOptions> = {
  ...lockOptionNames,
  ttlMs: true,
  maxHoldMs: true,
  owner: true,
};

/** Of an adapter's options, those that the keeper reads. */
export function leaseOptionsOf({
  ttlMs,
  maxHoldMs,
  owner,
  waitTimeoutMs,
  maxWaiting,
}: LeaseOptions): Required<LeaseOptions> {
  return { ttlMs, maxHoldMs, owner, waitTimeoutMs, maxWaiting };
}

/** Refuses a number of places that a database cannot represent. */
export function checkPlaces(limit: number): void {
  checkLimit('limit', limit);
  if (limit === Infinity) throw new RangeError('limit must be finite, got Infinity');
}

/** The options, checked, with their defaults. */
export interface LeaseSettings extends LockSettings {
  readonly ttlMs: number;
  readonly maxHoldMs: number;
  readonly owner: string | undefined;
}

export function leaseSettings(options: LeaseOptions): LeaseSettings {
  const settings = lockSettings(options, leaseOptionNames);
  const { ttlMs = 10_000, owner } = options;
  checkDuration('ttlMs', ttlMs);
  if (ttlMs < 100 || ttlMs === Infinity) {
    throw new RangeError(`ttlMs must be finite and at least 100, got ${ttlMs}`);
  }
  const { maxHoldMs = 10 * ttlMs } = options;
  checkDuration('maxHoldMs', maxHoldMs);
  if (owner !== undefined) checkName('owner', owner);
  // Databases count whole milliseconds.
  return { ...settings, ttlMs: Math.ceil(ttlMs), maxHoldMs, owner };
}
