/** The suites that find packages which are wrong on purpose. Each reports what is wrong. */

import { verify } from '../pool/claims/claim.js';
import { claims } from '../pool/claims/index.js';
import { runRandomPool } from '../pool/random-pool.js';
import type * as everything from '../support/everything.js';
import { explore } from '../support/explore.js';
import { inFakeTime } from '../support/fake-time.js';
import { sweep, waysOut } from '../support/handover-sweep.js';
import { lockLikesOf } from '../support/lock-likes.js';
import { randomWorlds } from '../support/worlds/random-worlds.js';
import { hurries, smallWorlds, tinyWorlds } from '../support/worlds/small-worlds.js';

/** Checks a package with one mistake; returns the first fault that is found, if any. */
export type Suite = (from: typeof everything) => Promise<string | undefined>;

/** Primitives by the name that stands in the worlds. */
type Primitive =
  | 'Mutex'
  | 'KeyedMutex'
  | 'Semaphore'
  | 'AdaptiveSemaphore'
  | 'ConnectionPool'
  | 'BoundedQueue'
  | 'SingleFlight'
  | 'LeaseKeeper';

export type SuiteName =
  | 'handover sweep'
  | `explorer of ${Primitive}`
  | `microtask sweep of ${Primitive}`
  | `model of ${Primitive}`
  | `pool claims: ${keyof typeof claims}`
  | 'random pools';

async function first<T>(items: Iterable<T>, wrongOf: (item: T) => Promise<string | undefined>) {
  for (const item of items) {
    const wrong = await wrongOf(item);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

const explorer =
  (primitive: string): Suite =>
  (from) =>
    first(
      [...tinyWorlds, ...smallWorlds].filter((world) => world.primitive === primitive),
      async ({ make }) => (await inFakeTime(() => explore(() => make(from)))).wrong,
    );

const microtaskSweep =
  (primitive: string): Suite =>
  (from) =>
    first(
      tinyWorlds.filter((world) => world.primitive === primitive),
      ({ make }) =>
        first(hurries, async (hurry) => (await inFakeTime(() => explore(() => make(from), hurry))).wrong),
    );

const model =
  (primitive: string): Suite =>
  (from) =>
    first(
      randomWorlds.filter((world) => world.primitive === primitive),
      (world) =>
        world.check(from, { seed: 1, endOnFailure: true }).then(
          () => undefined,
          (error: Error) => error.message,
        ),
    );

const realSetTimeout = setTimeout;

function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) =>
    realSetTimeout(() => reject(new Error('it hangs')), limitMs).unref(),
  );
  return Promise.race([promise, late]);
}

const poolClaims =
  (theme: keyof typeof claims): Suite =>
  ({ ConnectionPool }) =>
    first(claims[theme]!, (claim) =>
      within(10_000, verify(claim, ConnectionPool)).then(
        () => undefined,
        () => claim.title,
      ),
    );

const handover: Suite = (from) =>
  first(lockLikesOf(from), (kind) =>
    first(waysOut, async (wayOut) => {
      const [violation] = await inFakeTime(() => sweep(kind, wayOut));
      return violation === undefined ? undefined : `${kind.name}: ${violation}`;
    }),
  );

const randomPools: Suite = ({ ConnectionPool }) =>
  first(
    Array.from({ length: 100 }, (_, i) => i + 1),
    async (seed) => {
      const [problem] = await runRandomPool(seed, ConnectionPool);
      return problem === undefined ? undefined : `SEED=${seed}: ${problem}`;
    },
  );

/** The suite of that name. */
export function suiteNamed(name: SuiteName): Suite {
  if (name === 'handover sweep') return handover;
  if (name === 'random pools') return randomPools;
  const [kind, subject] = name.split(/ of |: /) as [string, string];
  if (kind === 'explorer') return explorer(subject);
  if (kind === 'microtask sweep') return microtaskSweep(subject);
  return kind === 'model' ? model(subject) : poolClaims(subject as keyof typeof claims);
}
