/**
 * "Requests are slow at noon. No graph shows whether they wait for the database or for a connection of our pool."
 *
 * A timer around `pool.use` measures the wait and the query together. The pool publishes both separately. This recipe turns its
 * messages into the standard metrics `db.client.connection.*`, which dashboards know.
 *
 * Take the meter from the API after the SDK is registered. A meter that was taken earlier never reports anything.
 */
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import type { Meter } from '@opentelemetry/api';
import type { ConnectionPoolStats } from 'latchkey';
import {
  channelNames,
  type PoolAcquireMessage,
  type PoolEventMessage,
  type PoolReleaseMessage,
} from 'latchkey/diagnostics';

export interface Measured {
  readonly pool: { stats(): ConnectionPoolStats };
  /** Goes into `db.client.connection.pool.name`. */
  readonly name: string;
  /** The `max` of the pool. */
  readonly max: number;
}

/** Returns a function that stops measuring. */
export function measurePool(meter: Meter, { pool, name, max }: Measured): () => void {
  const labels = { 'db.client.connection.pool.name': name };
  const metric = (of: string) => `db.client.connection.${of}`;
  const seconds = { unit: 's' };
  const createTime = meter.createHistogram(metric('create_time'), seconds);
  const waitTime = meter.createHistogram(metric('wait_time'), seconds);
  const useTime = meter.createHistogram(metric('use_time'), seconds);
  const count = meter.createObservableUpDownCounter(metric('count'), { unit: '{connection}' });
  const limit = meter.createObservableUpDownCounter(metric('max'), { unit: '{connection}' });
  const pending = meter.createObservableUpDownCounter(metric('pending_requests'), { unit: '{request}' });
  const timeouts = meter.createObservableCounter(metric('timeouts'), { unit: '{timeout}' });

  const began = new WeakMap<object, number>();
  const acquires = {
    start: (message: object) => void began.set(message, performance.now()),
    asyncEnd(message: object) {
      const { source, error } = message as PoolAcquireMessage;
      if (source !== pool || error !== undefined) return;
      waitTime.record((performance.now() - (began.get(message) as number)) / 1_000, labels);
    },
  } as Parameters<typeof acquireChannel.subscribe>[0];
  const onRelease = (message: unknown) => {
    const { source, heldMs } = message as PoolReleaseMessage;
    if (source === pool) useTime.record(heldMs / 1_000, labels);
  };
  const onEvent = (message: unknown) => {
    const event = message as PoolEventMessage;
    if (event.source === pool && event.type === 'connect')
      createTime.record(event.durationMs / 1_000, labels);
  };
  const acquireChannel = tracingChannel<object>(channelNames.poolAcquire);
  acquireChannel.subscribe(acquires);
  subscribe(channelNames.poolRelease, onRelease);
  subscribe(channelNames.poolEvent, onEvent);

  const gauges = [count, limit, pending, timeouts];
  const observe: Parameters<typeof meter.addBatchObservableCallback>[0] = (result) => {
    const { idle, leased, waiting, timedOut } = pool.stats();
    result.observe(count, idle, { ...labels, 'db.client.connection.state': 'idle' });
    result.observe(count, leased, { ...labels, 'db.client.connection.state': 'used' });
    result.observe(limit, max, labels);
    result.observe(pending, waiting, labels);
    result.observe(timeouts, timedOut, labels);
  };
  meter.addBatchObservableCallback(observe, gauges);
  return () => {
    meter.removeBatchObservableCallback(observe, gauges);
    acquireChannel.unsubscribe(acquires);
    unsubscribe(channelNames.poolRelease, onRelease);
    unsubscribe(channelNames.poolEvent, onEvent);
  };
}
