/**
 * "The price list is rebuilt by every replica at once, each time the cache runs out. It takes the database ten seconds."
 *
 * Naive: `if (expired) await rebuild()`: all of them find that it has expired. Twice would not be wrong, only dear: a lock on
 * Redis is the right one.
 */
import type { RedisMutex } from 'latchkey/redis';

export interface Cache {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
}

export async function cached(
  cache: Cache,
  locks: RedisMutex,
  key: string,
  rebuild: (signal: AbortSignal) => Promise<string>,
): Promise<string> {
  const value = await cache.get(key);
  if (value !== null) return value;
  return locks.run(key, async (lease) => {
    // Whoever waited finds what the first has made.
    const fresh = (await cache.get(key)) ?? (await rebuild(lease.signal));
    await cache.set(key, fresh);
    return fresh;
  });
}
