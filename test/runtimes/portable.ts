/** The claims that hold on every runtime, and their verdicts on this one. Needs only `latchkey`. */
import { gatherAndRetry } from './portable/gather-and-retry.js';
import { locks } from './portable/locks.js';
import { pools } from './portable/pool.js';
import { semaphores } from './portable/semaphores.js';
import { subPaths } from './portable/sub-paths.js';
import { surroundings } from './portable/surroundings.js';

export interface Verdict {
  readonly name: string;
  /** Why it does not hold. */
  readonly error?: string;
}

/** In this order: claims that subscribe to diagnostics go last, because subscribers change the code path of all others. */
const claims = [...locks, ...semaphores, ...pools, ...gatherAndRetry, ...subPaths, ...surroundings];

const patienceMs = 5_000;

export async function tryClaims(): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const { name, holds } of claims) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hanging = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`still pending after ${patienceMs} ms`)), patienceMs);
    });
    const held = Promise.resolve().then(holds);
    const error = await Promise.race([held, hanging]).then(
      () => undefined,
      (failure: unknown) => String(failure),
    );
    clearTimeout(timer);
    verdicts.push(error === undefined ? { name } : { name, error });
  }
  return verdicts;
}
