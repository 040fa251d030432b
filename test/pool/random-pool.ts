/**
 * One pool with options, hooks, users and weather drawn at random: whatever they do, the invariants hold after every step
 * and inside every hook, and in the end no slot, timer or waiter is left. The weather of each host changes: it answers, refuses, hangs,
 * drops new connections after 1 ms, or answers no check. Sockets die without notice, and the event loop stalls.
 */
import { ConnectionPool } from 'latchkey';
import { controlledDelay, fairShare } from 'latchkey/overload';
import { settled } from '../support/manual-time.js';
import { type Connection, type PoolLease, World } from '../support/pool-world.js';
import { SeededRandom } from '../support/seeded-random.js';

/** What a host does at the moment. */
type Weather = 'fine' | 'refuses' | 'hangs' | 'flaps' | 'silent';

const never = () => new Promise<never>(() => {});

interface User {
  readonly key: string;
  readonly order: number;
  /** How often its key had been reset when it asked. */
  readonly generation: number;
  readonly controller: AbortController;
  state: 'waiting' | 'holding' | 'done';
  lease?: PoolLease;
  settlements: number;
}

const steps = 60;

/** Runs one pool from `seed`; returns what went wrong, in words. */
export async function runRandomPool(seed: number, Pool = ConnectionPool): Promise<string[]> {
  const random = new SeededRandom(seed);
  const problems: string[] = [];
  const max = 1 + random.below(5);
  const maxPerKey = random.chance(0.3) ? 1 + random.below(max) : max;
  const validates = random.chance(0.5);
  /** Connections as the events count them. */
  let open = 0;
  const leasesPerConnection = random.pick([1, 1, 3, Infinity]);
  const faulty = random.pick([0, 0, 0.1, 0.4]);
  const neverClosing = random.chance(0.2);
  const isStormy = random.chance(0.5);
  // Without partitions, and without overload, an order serves first come, first served.
  const isOverloaded = random.chance(0.1);
  const order = isOverloaded
    ? controlledDelay({ targetMs: 5, intervalMs: 20 })
    : random.pick([undefined, undefined, fairShare(), controlledDelay({ intervalMs: Infinity })]);
  const heedsAborts = random.chance(0.8);
  const keys = Array.from({ length: random.pick([1, 2, 3, 4, 12]) }, (_, i) => `key ${i}`);
  const weather = new Map<string, Weather>();
  const generations = new Map<string, number>();
  /** In which turn its socket died, and of which generation it is. */
  const diedIn = new Map<Connection, number>();
  const generationOf = new Map<Connection, number>();

  /** A hook: does well most of the time, now, soon or late; else throws, rejects or never settles. */
  const behave = <T>(value: () => T): T | Promise<T> => {
    if (random.chance(faulty)) {
      switch (random.below(4)) {
        case 0:
          throw new Error('a hook threw');
        case 1:
          return Promise.reject(new Error('a hook rejected'));
        case 2:
          return new Promise<T>(() => {});
        default:
          return world.time
            .sleep(random.below(400))
            .then(() => Promise.reject(new Error('a hook rejected late')));
      }
    }
    if (random.chance(0.3)) return value();
    const delayMs = random.chance(0.1) ? random.below(600) : random.below(20);
    return world.time.sleep(delayMs).then(value);
  };

  const world = new World({
    Pool,
    random: random.next,
    max,
    maxPerKey,
    leasesPerConnection,
    maxConnecting: 1 + random.below(4),
    maxWaiting: random.chance(0.2) ? 3 : Infinity,
    maxWaitingPerKey: random.chance(0.2) ? 2 : Infinity,
    maxConnectingTotal: random.pick([1, 3, Infinity]),
    minIdle: random.pick([0, 0, 1, 2]),
    maxUses: random.pick([1, 5, Infinity]),
    keepAliveMs: random.pick([15, 100, Infinity]),
    waitTimeoutMs: random.pick([50, 500, Infinity]),
    connectTimeoutMs: random.pick([30, 200]),
    closeTimeoutMs: random.pick([20, 100]),
    idleTimeoutMs: random.pick([10, 300, Infinity]),
    maxLifetimeMs: random.pick([100, 5_000, Infinity]),
    validateAfterIdleMs: random.pick([0, 20]),
    validateTimeoutMs: 50,
    leakWarnAfterMs: random.pick([40, Infinity]),
    order,
    connect: (connection) => {
      const { key, context } = connection;
      generationOf.set(connection, generations.get(key) ?? 0);
      switch (weather.get(key)) {
        case 'refuses':
          throw new Error('the host refuses');
        case 'hangs':
          return heedsAborts ? aborted(context.signal) : never();
        case 'flaps':
          void world.time.sleep(1).then(() => context.lost(new Error('the host hung up')));
          return undefined;
        default:
          return behave(() => undefined);
      }
    },
    close: () => (neverClosing && random.chance(0.3) ? new Promise(() => {}) : behave(() => undefined)),
    hooks: {
      isAlive: (connection) => !diedIn.has(connection) && !random.chance(0.05),
      ...(validates && {
        validate: ({ key }) => (weather.get(key) === 'silent' ? never() : behave(() => !random.chance(0.2))),
      }),
      ...(random.chance(0.3) && { reset: () => behave(() => undefined) as Promise<undefined> }),
      isReusable: () => random.chance(0.5),
    },
    onEvent: (event) => {
      if (event.type === 'connect') open += 1;
      else if (event.type === 'close') open -= 1;
      if (open < 0) problems.push('more closes than connects');
      if (random.chance(0.02)) visit();
    },
  });

  const users: User[] = [];
  let closed = false;
  const lastGranted = new Map<string, { order: number; turn: number }>();
  let turn = 0;

  function arrive(): void {
    const key = random.pick(keys);
    const user: User = {
      key,
      order: users.length,
      generation: generations.get(key) ?? 0,
      controller: new AbortController(),
      state: 'waiting',
      settlements: 0,
    };
    users.push(user);
    const { signal } = user.controller;
    world.pool.acquire(user.key, random.chance(0.5) ? { signal } : undefined).then(
      (lease) => {
        user.settlements++;
        user.state = 'holding';
        user.lease = lease;
        if (lease.key !== user.key) problems.push(`asked for ${user.key}, got ${lease.key}`);
        // Those granted in one turn may learn of it in any order of microtasks.
        const previous = lastGranted.get(user.key);
        const isOvertaken = previous !== undefined && previous.turn < turn && previous.order > user.order;
        if (isOvertaken && !isOverloaded) {
          problems.push(`${user.order} was granted after ${previous.order}, which came later`);
        }
        if (previous === undefined || previous.order < user.order) {
          lastGranted.set(user.key, { order: user.order, turn });
        }
        const { connection } = lease;
        if (connection.closes > 0 && !closed) problems.push(`a closed connection was leased to ${user.key}`);
        if ((diedIn.get(connection) ?? turn) < turn)
          problems.push(`a dead connection was leased to ${user.key}`);
        if ((generationOf.get(connection) ?? 0) < user.generation) {
          problems.push(`${user.key} got a connection that was dialled before the reset`);
        }
        const sharing = users.filter(
          ({ state, lease: held }) => state === 'holding' && held?.connection === connection,
        );
        if (sharing.length > leasesPerConnection) problems.push(`${sharing.length} users share a connection`);
      },
      () => {
        user.settlements++;
        user.state = 'done';
      },
    );
  }

  function leave(user: User): void {
    const { lease } = user;
    if (lease === undefined) return;
    user.state = 'done';
    const ways = [
      () => lease.release(),
      () => lease.release(),
      () => lease.release(new Error('the user failed')),
      () => lease.destroy(),
    ];
    random.pick(ways)();
    if (random.chance(0.1)) lease.release();
  }

  /** Something that a user, a server or an operator may do at any time, also from within a hook. */
  function visit(): void {
    const waiting = users.filter(({ state }) => state === 'waiting');
    const holding = users.filter(({ state }) => state === 'holding');
    const open = world.connections.filter(({ closes }) => closes === 0);
    const draw = random.below(100);
    if (draw < 45) arrive();
    else if (draw < 75 && holding.length > 0) leave(random.pick(holding));
    else if (draw < 85 && waiting.length > 0) random.pick(waiting).controller.abort();
    else if (draw < 89 && open.length > 0) {
      const connection = random.pick(open);
      connection.context.lost(new Error('reset by peer'));
    } else if (draw < 92 && open.length > 0) {
      const connection = random.pick(open);
      connection.context.drain();
    } else if (draw < 94 && open.length > 0) {
      random.pick(open).context.capacity(1 + random.below(3));
    } else if (draw < 96) resetSome(random.chance(0.5) ? keys : [random.pick(keys)]);
    else if (draw < 98 && open.length > 0) diedIn.set(random.pick(open), turn);
    else if (isStormy)
      weather.set(random.pick(keys), random.pick(['fine', 'refuses', 'hangs', 'flaps', 'silent']));
  }

  function resetSome(some: readonly string[]): void {
    for (const key of some) generations.set(key, (generations.get(key) ?? 0) + 1);
    if (some === keys) world.pool.reset();
    else for (const key of some) world.pool.reset(key);
  }

  /** What must be true when only a caller or a timer can change anything. */
  function checkRest(): void {
    const { waiting, idle, leased, total, connecting, validating, closing } = world.stats;
    const waitingKeys = users.filter(({ state }) => state === 'waiting').map(({ key }) => key);
    if (waiting !== waitingKeys.length) {
      problems.push(`${waiting} waiting by the counts, ${waitingKeys.length} by the users`);
    }
    for (const { settlements } of users) {
      if (settlements > 1) problems.push(`a user was answered ${settlements} times`);
    }
    // P6, where there is one key; an idle connection that must be validated first may be passed over.
    if (keys.length === 1 && waiting > 0 && idle > 0 && !validates) problems.push('idle beside waiting');
    // P7: a waiter with free slots and no dial under way waits for a backoff.
    const room = total < max && (keys.length === 1 ? total < maxPerKey : maxPerKey === max);
    const stuck = waitingKeys.filter((key) => world.pool.stats(key)?.failures === 0);
    // A shared connection may be validated beside its leases, and be idle before the answer comes.
    const mayBePinged = validates && leasesPerConnection > 1 && leased + idle > 0;
    if (room && !mayBePinged && connecting + validating + closing === 0 && stuck.length > 0) {
      problems.push(`${stuck} waits although there is room and no dial is under way`);
    }
  }

  for (let step = 0; step < steps; step++) {
    turn++;
    for (let visits = random.below(4); visits > 0; visits--) visit();
    if (isStormy && random.chance(0.05)) world.time.stall(random.below(300));
    if (isStormy && world.stats.connecting > 0 && random.chance(0.05)) resetSome(keys);
    if (random.chance(0.7)) await world.advance(random.chance(0.1) ? random.below(700) : random.below(25));
    else await settled();
    world.check();
    checkRest();
  }

  weather.clear();
  // Everybody goes home: with finite holds and a server that answers, every waiter is served or told (P4, P7).
  for (let round = 0; round < 200 && users.some(({ state }) => state !== 'done'); round++) {
    for (const user of users) if (user.state === 'holding') leave(user);
    await world.advance(100);
  }
  const forgotten = users.filter(({ state }) => state === 'waiting').length;
  if (forgotten > 0)
    problems.push(`${forgotten} waiters were never answered: ${JSON.stringify(world.stats)}`);

  closed = true;
  try {
    await world.end({ graceMs: random.pick([0, 50]), drain: random.chance(0.3) });
    if (open !== 0) problems.push(`${open} connections are open by the events`);
  } catch (error) {
    problems.push(String((error as Error).message));
  } finally {
    world.leave();
  }
  return [...problems, ...world.violations];
}

/** Rejects when the signal aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
