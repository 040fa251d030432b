/** Error details for callers that got no connection. */
import { ConnectError, printable } from '../contract/errors.js';
import type { Slot } from './slot.js';

export function connectError(key: unknown, cause: unknown): ConnectError {
  const target = key === undefined ? '' : ` to ${printable(key)}`;
  const reason = cause instanceof Error ? `: ${withoutSecrets(cause.message)}` : '';
  return new ConnectError(`could not connect${target}${reason}`, { key, cause });
}

/** Describes the longest-held lease, for messages. It does not name the key: that may be another caller's. */
export function oldestLease<C, K>(slots: Iterable<Slot<C, K>>): string | undefined {
  let longestMs = -1;
  for (const { leases } of slots) {
    for (const { heldMs } of leases) longestMs = Math.max(longestMs, heldMs);
  }
  return longestMs < 0 ? undefined : `the oldest lease has been held for ${Math.round(longestMs)} ms`;
}

/** A text without the userinfo and the query of the URLs in it: drivers put them into their messages. */
function withoutSecrets(text: string): string {
  return text.replace(/([a-z][a-z\d+.-]*:\/\/)(?:[^\s/?#@]*@)?([^\s?#]*)(?:[?#]\S*)?/gi, '$1$2');
}
