/** The least work that any implementation must do, for many callers at once. */

/** Without a lock: each caller waits on its own promise and wakes the next; `limit` of them run at once. */
export async function resolveInTurn(size: number, task: () => Promise<void>, limit = 1): Promise<void> {
  const wake: (() => void)[] = [];
  const callers = Array.from({ length: size }, async (_, i) => {
    await new Promise<void>((resolve) => wake.push(resolve));
    await task();
    wake[i + limit]?.();
  });
  for (const resolve of wake.slice(0, limit)) resolve();
  await Promise.all(callers);
}

/** Without a keyed lock: the same for each key. */
export async function resolveInTurnPerKey(
  keys: number,
  callersPerKey: number,
  task: () => Promise<void>,
): Promise<void> {
  const wakeByKey = Array.from({ length: keys }, (): (() => void)[] => []);
  const callers = Array.from({ length: keys * callersPerKey }, async (_, i) => {
    const wake = wakeByKey[i % keys]!;
    await new Promise<void>((resolve) => wake.push(resolve));
    await task();
    wake[Math.floor(i / keys) + 1]?.();
  });
  for (const [first] of wakeByKey) first?.();
  await Promise.all(callers);
}

/** Without a keyed lock. */
export async function setAwaitDelete(keys: number, task: () => Promise<void>): Promise<void> {
  const held = new Map<number, object>();
  const callers = Array.from({ length: keys }, async (_, key) => {
    held.set(key, {});
    await task();
    held.delete(key);
  });
  await Promise.all(callers);
}

/** Without a queue: promises rejected by one listener on the first signal, which all of them share. */
export function rejectAll(signals: readonly AbortSignal[]): Promise<unknown>[] {
  const rejects: ((reason: unknown) => void)[] = [];
  signals[0]!.addEventListener('abort', () => {
    for (const reject of rejects) reject(signals[0]!.reason);
  });
  return signals.map(() => new Promise((_, reject) => rejects.push(reject)));
}

/** Without a queue: promises rejected by a listener each. */
export function rejectEach(signals: readonly AbortSignal[]): Promise<unknown>[] {
  return signals.map(
    (signal) =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      ),
  );
}
