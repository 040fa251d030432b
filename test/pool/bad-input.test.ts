import { ConnectionPool, type ConnectionPoolOptions, type Connector } from 'latchkey';
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
