/** What the scripts leave in a real Redis: names, tokens before and behind the clock, and how long things are kept. */
import { RedisMutex, RedisSemaphore, type RedisSend } from 'latchkey/redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RedisEngine } from '../../src/redis/redis-engine.js';
import { until } from '../remote-locks/support/real-time.js';
import { ioredisClients, type RedisClients } from '../remote-locks/support/redis-clients.js';
import { type RedisServer, startRedis } from '../support/engines/redis.js';

let server: RedisServer;
let clients: RedisClients;
const ask = (...args: (string | number)[]) => clients.send(args.map(String));
beforeAll(async () => {
  server = await startRedis();
  clients = ioredisClients(server.connectionOptions);
});
afterAll(async () => {
  await clients[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

let owners = 0;
function engineOf(kind: 'mutex' | 'semaphore', places = 1, namespace = 'latchkey') {
  const engine = new RedisEngine(clients.send, { kind, namespace, subscribe: undefined, places });
  return {
    engine,
    get: (key: string, ttlMs = 1_000, owner = `owner ${++owners}`) =>
      engine.acquire({ key, owner, ttlMs, signal: new AbortController().signal, lost() {} }),
  };
}

const dayMs = 86_400_000;

describe.each([
  ['mutex', 'lock'],
  ['semaphore', 'places'],
] as const)('%s on Redis', (kind, state) => {
  const nameOf = (key: string) => `latchkey:{${kind}:${key}}`;

  test('RE1, RE2: keys begin with the namespace, and share a hash tag', async () => {
    await ask('FLUSHALL');
    const { get } = engineOf(kind);
    await get('a');
    expect(((await ask('KEYS', '*')) as string[]).sort()).toEqual([
      `${nameOf('a')}:${state}`,
      `${nameOf('a')}:token`,
    ]);
    const slots = await Promise.all(
      [state, 'token'].map((end) => ask('CLUSTER', 'KEYSLOT', `${nameOf('a')}:${end}`).catch(() => 0)),
    );
    expect(slots[0]).toBe(slots[1]);
  });

  test('RM2, RS3: a token is the clock in microseconds', async () => {
    const before = BigInt(Date.now()) * 1_000n;
    const answer = await engineOf(kind).get('clock');
    const after = BigInt(Date.now() + 1) * 1_000n;
    const { token } = answer as { token: bigint };
    expect(token >= before && token <= after).toBe(true);
    expect(await ask('GET', `${nameOf('clock')}:token`)).toBe(String(token));
  });

  test('RM2, RS3: a token behind the last one is the last one plus one, and is remembered for a day', async () => {
    const ahead = 9_000_000_000_000_000n;
    await ask('SET', `${nameOf('ahead')}:token`, String(ahead), 'PX', 60_000);
    const { engine, get } = engineOf(kind);
    expect(await get('ahead', 1_000, 'first')).toEqual({ token: ahead + 1n });
    expect(Number(await ask('PTTL', `${nameOf('ahead')}:token`))).toBeGreaterThan(dayMs - 10_000);
    await engine.renew('ahead', 'first', 1_000);
    expect(Number(await ask('PTTL', `${nameOf('ahead')}:token`))).toBeGreaterThan(dayMs - 10_000);
    await engine.release('ahead', 'first');
    expect(await get('ahead', 1_000, 'second')).toEqual({ token: ahead + 2n });
    await engine.release('ahead', 'second');
  });

  test('RM2, RS3: a token that equals the last one is not given again', async () => {
    const { engine, get } = engineOf(kind);
    const first = (await get('equal', 1_000, 'a')) as { token: bigint };
    await engine.release('equal', 'a');
    await ask('SET', `${nameOf('equal')}:token`, String(first.token + 50_000_000n), 'PX', 60_000);
    expect(await get('equal', 1_000, 'b')).toEqual({ token: first.token + 50_000_001n });
  });

  test('RE3: after the release only the token stays, for two to three times to live', async () => {
    const { engine, get } = engineOf(kind);
    await get('kept', 2_000, 'a');
    expect(Number(await ask('PTTL', `${nameOf('kept')}:token`))).toBeGreaterThan(5_000);
    await until(async () => Number(await ask('PTTL', `${nameOf('kept')}:token`)) <= 5_700);
    await engine.renew('kept', 'a', 2_000);
    expect(Number(await ask('PTTL', `${nameOf('kept')}:token`))).toBeGreaterThan(5_700);
    await engine.release('kept', 'a');
    expect(await ask('EXISTS', `${nameOf('kept')}:${state}`)).toBe(0);
    const leftMs = Number(await ask('PTTL', `${nameOf('kept')}:token`));
    expect(leftMs).toBeGreaterThan(4_000);
    expect(leftMs).toBeLessThanOrEqual(6_000);
  });

  test('RE3: the lock of a dead process ends with its time to live', async () => {
    await engineOf(kind).get('dead', 2_000);
    const leftMs = Number(await ask('PTTL', `${nameOf('dead')}:${state}`));
    expect(leftMs).toBeGreaterThan(1_000);
    expect(leftMs).toBeLessThanOrEqual(2_001);
  });

  test('RE3: a long key is stored, and published, as a hash', async () => {
    await ask('FLUSHALL');
    await engineOf(kind).get('x'.repeat(100_000));
    for (const key of (await ask('KEYS', '*')) as string[]) expect(key.length).toBeLessThan(120);
  });

  test('RM1, RS2: an owner may look like a pattern', async () => {
    const { engine, get } = engineOf(kind);
    await get('pattern', 1_000, 'a|1%d+(.*)');
    expect(await engine.renew('pattern', 'a', 1_000)).toBe(false);
    expect(await engine.renew('pattern', 'a|1%d+(.*)', 1_000)).toBe(true);
    expect(await engine.release('pattern', 'a|1')).toBe(false);
    expect(await engine.release('pattern', 'a|1%d+(.*)')).toBe(true);
  });

  test('RE4: the release publishes the key, once, and a stranger’s release does not', async () => {
    const heard: string[] = [];
    await (clients.subscribe('heard:freed', (message) => heard.push(message)) as Promise<unknown>);
    const { engine, get } = engineOf(kind, 1, 'heard');
    await get('b', 1_000, 'a');
    await engine.release('b', 'stranger');
    await engine.release('b', 'a');
    await engine.release('b', 'a');
    // Messages come in the order in which they were published.
    await ask('PUBLISH', 'heard:freed', `${kind} ends`);
    await until(async () => heard.includes(`${kind} ends`));
    expect(heard.filter((message) => message.startsWith(`${kind}:`))).toEqual([`${kind}:b`]);
  });
});

test('RS1: places that have ended are not counted, also when others are held', async () => {
  const { engine, get } = engineOf('semaphore', 2);
  await get('ends', 60_000, 'long');
  await get('ends', 150, 'short');
  expect(await get('ends', 1_000, 'third')).toHaveProperty('freeInMs');
  await until(async () => 'token' in (await get('ends', 60_000, 'third')));
  expect(Number(await ask('PTTL', 'latchkey:{semaphore:ends}:places'))).toBeGreaterThan(50_000);
  expect(await engine.renew('ends', 'short', 1_000)).toBe(false);
  expect(await ask('ZCARD', 'latchkey:{semaphore:ends}:places')).toBe(2);
});

test('a lock that was set by hand, without an end, is respected and asked for again', async () => {
  await ask('SET', 'latchkey:{mutex:hand}:lock', 'by hand');
  expect(await engineOf('mutex').get('hand')).toEqual({ freeInMs: Infinity });
  let asked = 0;
  const send: RedisSend = (args) => clients.send(args).finally(() => asked++);
  const wait = new RedisMutex(send).acquire('hand', { waitTimeoutMs: 5_000 });
  await until(async () => asked > 0);
  await ask('DEL', 'latchkey:{mutex:hand}:lock');
  await (await wait).release();
});

describe('a user of Redis with few rights', () => {
  const rights = {
    mutex: ['+eval', '+evalsha', '+get', '+set', '+del', '+pexpire', '+pttl', '+time', '+publish'],
    semaphore:
      '+eval +evalsha +get +set +pexpire +pttl +time +publish +zadd +zcard +zrange +zrem +zremrangebyscore +zscore +pexpireat'.split(
        ' ',
      ),
  };
  test.each([
    ['mutex', true],
    ['mutex', false],
    ['semaphore', true],
    ['semaphore', false],
  ] as const)('%s: the commands that the docs name are enough; may publish: %s', async (kind, publishes) => {
    const user = `${kind} ${publishes}`.replace(' ', '-');
    const commands = rights[kind].filter((right) => publishes || right !== '+publish');
    const channels = publishes ? ['&latchkey:*'] : [];
    await ask('ACL', 'SETUSER', user, 'reset', 'on', '>pw', '~latchkey:*', ...channels, ...commands);
    await using restricted = ioredisClients({
      ...server.connectionOptions,
      username: user,
      password: 'pw',
      enableReadyCheck: false,
    } as never);
    const errors: string[] = [];
    let answers = 0;
    const send: RedisSend = async (args) => {
      try {
        const answer = await restricted.send(args);
        answers++;
        return answer;
      } catch (error) {
        if (!/NOSCRIPT/.test((error as Error).message)) errors.push((error as Error).message);
        throw error;
      }
    };
    const task = async ({ signal }: { signal: AbortSignal }) => {
      // The request for the lock, and two renewals.
      await until(async () => answers >= 3);
      return signal.aborted;
    };
    const mutex = new RedisMutex(send, { ttlMs: 1_000 });
    const semaphore = new RedisSemaphore(send, 2, { name: 'few', ttlMs: 1_000 });
    expect(await (kind === 'mutex' ? mutex.run('few', task) : semaphore.run(task))).toBe(false);
    await Promise.all([mutex.close(), semaphore.close()]);
    expect(errors).toEqual([]);
    expect(await ask('EXISTS', `latchkey:{${kind}:few}:${kind === 'mutex' ? 'lock' : 'places'}`)).toBe(0);
  });
});

test('two thousand keys at once: no script is loaded, none is refused', async () => {
  const commands = new Map<string, number>();
  const mutex = new RedisMutex((args) => {
    commands.set(args[0]!, (commands.get(args[0]!) ?? 0) + 1);
    return clients.send(args);
  });
  await ask('SCRIPT', 'FLUSH');
  const runs = await Promise.all(Array.from({ length: 2_000 }, (_, i) => mutex.run(`many ${i}`, () => 1)));
  expect(runs).toHaveLength(2_000);
  expect([...commands.keys()].sort()).toEqual(['EVAL', 'EVALSHA']);
});

/** Short keys are not hashed: their names are known after a few microtasks. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('RE4: wake-ups', () => {
  const freed = (subscribe: (channel: string, listener: (message: string) => void) => unknown) =>
    new RedisEngine(async () => 0, { kind: 'mutex', namespace: 'a:b', subscribe, places: 1 }).onFreed!;

  test('one subscription serves all keys; each listener hears of its own key, until it stops', async () => {
    const subscribed: string[] = [];
    let announce = (_message: string) => {};
    const onFreed = freed((channel, listener) => {
      subscribed.push(channel);
      announce = listener;
      return new Promise(() => {});
    });
    const woken: string[] = [];
    const stops = ['x', 'x', 'y'].map((key, i) => onFreed(key, () => woken.push(`${key}${i}`)));
    await nextTurn();
    announce('mutex:x');
    announce('mutex:unknown');
    expect(subscribed).toEqual(['a%3ab:freed']);
    expect(woken).toEqual(['x0', 'x1']);
    stops[0]!();
    announce('mutex:x');
    announce('mutex:y');
    expect(woken).toEqual(['x0', 'x1', 'x1', 'y2']);
    stops[1]!();
    stops[2]!();
    announce('mutex:x');
    expect(woken).toHaveLength(4);
  });

  test('a listener that stops before its key is hashed hears nothing', async () => {
    let announce = (_message: string) => {};
    const onFreed = freed((_channel, listener) => {
      announce = listener;
      return new Promise(() => {});
    });
    const woken: string[] = [];
    onFreed('x', () => woken.push('x'))();
    await nextTurn();
    announce('mutex:x');
    expect(woken).toEqual([]);
  });

  test('when the subscription begins to work, every waiter asks once', async () => {
    let begin = () => {};
    const onFreed = freed(() => new Promise<void>((resolve) => (begin = resolve)));
    const woken: string[] = [];
    for (const key of ['x', 'y']) onFreed(key, () => woken.push(key));
    await nextTurn();
    expect(woken).toEqual([]);
    begin();
    await nextTurn();
    expect(woken).toEqual(['x', 'y']);
  });

  test.each(['rejects', 'throws'])(
    'a subscription that %s is tried again with the next waiter',
    async (how) => {
      let calls = 0;
      const onFreed = freed(() => {
        calls++;
        if (how === 'throws') throw new Error('down');
        return Promise.reject(new Error('down'));
      });
      onFreed('x', () => {});
      await nextTurn();
      onFreed('x', () => {});
      await nextTurn();
      expect(calls).toBe(2);
    },
  );
});
