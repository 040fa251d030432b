/** The recipes that make metrics, against the real SDKs and a real PostgreSQL. */
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { AdaptiveSemaphore, ConnectionPool, Mutex } from 'latchkey';
import { Client } from 'pg';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { measurePool } from '../../docs/recipes/opentelemetry-metrics.js';
import { measureWaits } from '../../docs/recipes/prom-client-metrics.js';
import { type PostgresServer, startPostgres } from '../support/engines/postgres.js';

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

test('opentelemetry-metrics: the SDK gets the standard metrics of a pool, in seconds', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  await using pool = new ConnectionPool<Client>(
    {
      async connect() {
        const client = new Client(postgres.connectionOptions);
        await client.connect();
        return client;
      },
      close: (client) => client.end(),
    },
    { max: 2 },
  );
  const stop = measurePool(provider.getMeter('service'), { pool, name: 'orders', max: 2 });
  const query = (client: Client) => client.query('select pg_sleep(0.02)');
  await Promise.all(Array.from({ length: 6 }, () => pool.use(query)));
  const held = await pool.acquire();
  const both = await pool.acquire();
  await expect(pool.acquire({ waitTimeoutMs: 1 })).rejects.toThrow('gave up');
  held.release();
  await reader.forceFlush();
  both.release();
  stop();
  await pool.use(query);
  const metrics = exporter.getMetrics()[0]?.scopeMetrics[0]?.metrics ?? [];
  const points = Object.fromEntries(
    metrics.map(({ descriptor, dataPoints }) => [
      descriptor.name.replace('db.client.connection.', ''),
      { unit: descriptor.unit, points: dataPoints.map(({ attributes, value }) => ({ attributes, value })) },
    ]),
  );
  const name = { 'db.client.connection.pool.name': 'orders' };
  const one = (value: unknown, more = {}) => ({ attributes: { ...name, ...more }, value });
  const histogram = (count: number) => one(expect.objectContaining({ count }));
  expect(points).toEqual({
    create_time: { unit: 's', points: [histogram(2)] },
    wait_time: { unit: 's', points: [histogram(8)] },
    use_time: { unit: 's', points: [histogram(7)] },
    count: {
      unit: '{connection}',
      points: [
        one(1, { 'db.client.connection.state': 'idle' }),
        one(1, { 'db.client.connection.state': 'used' }),
      ],
    },
    max: { unit: '{connection}', points: [one(2)] },
    pending_requests: { unit: '{request}', points: [one(0)] },
    timeouts: { unit: '{timeout}', points: [one(1)] },
  });
  const used = points['use_time']?.points[0]?.value as { sum: number };
  expect(used.sum).toBeGreaterThan(0.1);
  expect(used.sum).toBeLessThan(10);
  await provider.shutdown();
});

test('prom-client-metrics: waits by lock and by outcome', async () => {
  const registry = new Registry();
  const [mutex, adaptive, nameless] = [
    new Mutex(),
    new AdaptiveSemaphore({ algorithm: counting() }),
    new Mutex(),
  ];
  measureWaits(
    registry,
    new Map<object, string>([
      [mutex, 'ledger'],
      [adaptive, 'search'],
    ]),
  );
  const permits = [await mutex.acquire(), await nameless.acquire()];
  const waits = [mutex.acquire(), mutex.acquire({ waitTimeoutMs: 1 }), nameless.acquire()];
  await expect(waits[1]).rejects.toThrow('gave up');
  for (const permit of permits) permit.release();
  await Promise.all([waits[0], waits[2]]);
  await adaptive.run(() => {});
  const text = await registry.metrics();
  expect(text).toContain('latchkey_wait_seconds_count{name="ledger",outcome="granted"} 1');
  expect(text).toContain('latchkey_wait_seconds_count{name="ledger",outcome="ERR_WAIT_TIMEOUT"} 1');
  expect(text).toContain('latchkey_limit{name="search"} 2');
  expect(text.match(/latchkey_wait_seconds_count/g)).toHaveLength(2);
});

function counting() {
  const algorithm = { limit: 1, onSample: () => void algorithm.limit++ };
  return algorithm;
}
