import { now } from '../runtime/clock.js';
import type { KeyState } from './key-state.js';
import type { PoolSettings } from './settings.js';
import type { SlotCounts } from './slot-counts.js';

/**
 * How many callers would wait beyond the capacity if one more waited for `newcomer`: the callers that no dial, no check,
 * no idle connection and no free slot will serve (P19). The newcomer's key comes last, after the older waiters.
 */
export function callersInLine<C, K>(
  newcomer: KeyState<C, K>,
  keys: Iterable<KeyState<C, K>>,
  { total, idle, leaving }: SlotCounts,
  settings: PoolSettings,
): { inAll: number; ofKey: number } {
  let freeSlots = settings.max - total + leaving + idle;
  const inLine = (key: KeyState<C, K>, callers: number): number => {
    const { leasesPerConnection, maxConnecting } = settings;
    const unserved = callers - key.leasesToCome;
    if (unserved <= 0) return 0;
    const isFailing = key.server.failures > 0;
    const mayProbe = isFailing && now() >= key.server.retryAtMs && key.counts.connecting < maxConnecting;
    const dials = isFailing ? Number(mayProbe) : key.maximum - key.counts.total;
    const wanted = Math.ceil(unserved / leasesPerConnection);
    const slots = Math.max(0, Math.min(wanted, dials + key.spare.size, freeSlots));
    freeSlots -= slots;
    return Math.max(0, unserved - slots * leasesPerConnection);
  };
  let others = 0;
  for (const key of keys) if (key !== newcomer && key.waiting > 0) others += inLine(key, key.waiting);
  const ofKey = inLine(newcomer, newcomer.waiting + 1);
  return { inAll: others + ofKey, ofKey };
}
