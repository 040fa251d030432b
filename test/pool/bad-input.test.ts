import { type ConnectContext, ConnectionPool, type ConnectionPoolOptions, type Connector } from 'latchkey';
import { describe, expect, test } from 'vitest';

const connector: Connector<object, string> = { connect: () => ({}), close() {} };

describe('a pool refuses at once, by name and with the value', () => {
  const counts = ['max', 'maxPerKey', 'leasesPerConnection', 'maxConnecting', 'maxUses'] as const;
  test.each(
    counts.flatMap((name) => [0, -1, 1.5, Number.NaN, -0, '5', null].map((value) => ({ name, value }))),
  )('$name: $value', ({ name, value }) => {
    const make = () => new ConnectionPool(connector, { [name]: value } as ConnectionPoolOptions);
    expect(make).toThrow(typeof value === 'number' ? RangeError : TypeError);
    expect(make).toThrow(
      new RegExp(
        `^${name} must be a .*got ${typeof value === 'string' ? '"5"' : Object.is(value, -0) ? '-0' : value}$`,
      ),
    );
  });

  const durations = [
    'waitTimeoutMs',
    'connectTimeoutMs',
    'closeTimeoutMs',
    'idleTimeoutMs',
    'maxLifetimeMs',
    'validateAfterIdleMs',
    'validateTimeoutMs',
    'leakWarnAfterMs',
  ] as const;
  test.each(durations.flatMap((name) => [-1, Number.NaN, '5', {}].map((value) => ({ name, value }))))(
    '$name: $value',
    ({ name, value }) => {
      const make = () => new ConnectionPool(connector, { [name]: value } as ConnectionPoolOptions);
      expect(make).toThrow(typeof value === 'number' ? RangeError : TypeError);
      expect(make).toThrow(name);
    },
  );

  test('a connector without its hooks, or with a hook that is no function', () => {
    expect(() => new ConnectionPool(undefined as never)).toThrow('connector must be an object');
    expect(() => new ConnectionPool({} as never)).toThrow('connector.connect must be a function');
    expect(() => new ConnectionPool({ connect() {} } as never)).toThrow('connector.close must be a function');
    expect(() => new ConnectionPool({ ...connector, validate: true } as never)).toThrow('connector.validate');
    expect(() => new ConnectionPool(connector, { onEvent: {} as never })).toThrow(
      'onEvent must be a function',
    );
    expect(() => new ConnectionPool(connector, 5 as never)).toThrow('options must be an object');
  });

  test('bad arguments reject the call, and it takes no slot', async () => {
    const pool = new ConnectionPool(connector);
    await expect(pool.use('a', 'no task' as never)).rejects.toThrow('task must be a function, got "no task"');
    await expect(pool.acquire('a', { waitTimeoutMs: -1 })).rejects.toThrow('waitTimeoutMs');
    await expect(pool.acquire('a', 5 as never)).rejects.toThrow('options must be an object, got 5');
    await expect(pool.close({ graceMs: Number.NaN })).rejects.toThrow('graceMs');
    const getter = Object.defineProperty({}, 'signal', {
      get() {
        throw new Error('a getter threw');
      },
    });
    await expect(pool.acquire('a', getter)).rejects.toThrow('a getter threw');
    expect(pool.stats()).toMatchObject({ total: 0, waiting: 0, keys: 0 });
    await pool.close();
  });

  test.each([undefined, null, Number.NaN, -0, '', Symbol('key'), {}])(
    'any value may be a key: %s',
    async (key) => {
      const pool = new ConnectionPool<object, unknown>({ connect: (_key: unknown) => ({}), close() {} });
      expect(pool.tryAcquire(key)).toBeUndefined();
      expect([...pool.keys()]).toEqual([]);
      await pool.use(key, () => {});
      const lease = pool.tryAcquire(key);
      expect(Object.is(lease?.key, key)).toBe(true);
      lease?.release();
      await pool.close();
      expect(() => pool.tryAcquire(key)).toThrow('the connection pool is closed');
    },
  );

  test('tryAcquire throws what keyId throws, and capacity refuses what is no count', async () => {
    const bug = new Error('no key');
    const keyId = () => {
      throw bug;
    };
    const broken = new ConnectionPool<object, string>({ ...connector, keyId });
    expect(() => broken.tryAcquire('a')).toThrow(bug);
    const refused: unknown[] = [];
    const connect = (_key: string, { capacity }: ConnectContext) => {
      for (const leases of [-1, 1.5, Number.NaN, '5', undefined])
        try {
          capacity(leases as number);
        } catch (error) {
          refused.push(error);
        }
      return {};
    };
    const pool = new ConnectionPool<object, string>({ ...connector, connect });
    await pool.use('a', () => {});
    expect(refused.map((error) => (error as Error).message)).toEqual([
      expect.stringMatching(/^leases must be .*got -1$/),
      expect.stringMatching(/^leases must be .*got 1.5$/),
      expect.stringMatching(/^leases must be .*got NaN$/),
      expect.stringMatching(/^leases must be .*got "5"$/),
      expect.stringMatching(/^leases must be .*got undefined$/),
    ]);
    await pool.close();
  });

  test('a keyId that throws rejects the acquire with its error', async () => {
    const bug = new Error('no key');
    const pool = new ConnectionPool<object, string>({
      ...connector,
      keyId() {
        throw bug;
      },
    });
    await expect(pool.acquire('a')).rejects.toBe(bug);
    expect(pool.stats()).toMatchObject({ total: 0, keys: 0 });
    await pool.close();
  });

  test('infinite bounds are fine', async () => {
    const all = [...counts, ...durations].map((name) => [name, Infinity]);
    const pool = new ConnectionPool(connector, Object.fromEntries(all) as ConnectionPoolOptions);
    await expect(pool.use('a', () => 'value')).resolves.toBe('value');
    await pool.close();
  });
});
