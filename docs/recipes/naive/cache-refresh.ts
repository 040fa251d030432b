import type { Store } from '../cache-refresh.js';

/** Get, else rebuild and set: the code of every introduction to caches. */
export async function cached(store: Store, key: string, rebuild: () => Promise<string>): Promise<string> {
  const value = await store.get(key);
  if (value !== null) return value;
  const rebuilt = await rebuild();
  await store.set(key, rebuilt);
  return rebuilt;
}
