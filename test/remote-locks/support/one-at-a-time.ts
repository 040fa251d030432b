import type { KeyedLock } from 'latchkey';
import { expect } from 'vitest';
import { pause } from './real-time.js';

/** Twenty tasks of two lock objects on one key: never two inside, and tokens grow with every grant. */
export async function oneAtATime<K>(one: KeyedLock<K>, other: KeyedLock<K>, key: K): Promise<void> {
  let inside = 0;
  let most = 0;
  const tokens: bigint[] = [];
  const task = async ({ token }: { token: bigint }) => {
    most = Math.max(most, ++inside);
    tokens.push(token);
    await pause(1);
    inside--;
  };
  await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? one : other).run(key, task)));
  expect(most).toBe(1);
  expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)));
  expect(new Set(tokens).size).toBe(20);
}
