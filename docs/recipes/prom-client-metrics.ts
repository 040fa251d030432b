/**
 * "The service does nothing, and does it slowly. Everybody waits for some lock, but for which?"
 *
 * Naive: a log line around each lock, found and removed again after each outage. Every wait is told on one channel already;
 * this makes a histogram of it, by lock and by outcome. Only locks with a name are counted: one label per key or per request
 * is what breaks a metrics server.
 */
import { subscribe, tracingChannel } from 'node:diagnostics_channel';
import { channelNames, type LimitMessage, type WaitMessage } from 'latchkey/diagnostics';
import { Gauge, Histogram, type Registry } from 'prom-client';

/** `names`: locks, semaphores, queues and flights, and what to call them. For the life of the process. */
export function measureWaits(registry: Registry, names: ReadonlyMap<object, string>): void {
  const waits = new Histogram({
    name: 'latchkey_wait_seconds',
    help: 'How long callers waited for their turn',
    labelNames: ['name', 'outcome'] as const,
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10],
    registers: [registry],
  });
  const limits = new Gauge({
    name: 'latchkey_limit',
    help: 'The limit an adaptive semaphore has found',
    labelNames: ['name'] as const,
    registers: [registry],
  });
  const timers = new WeakMap<object, (labels: { outcome: string }) => number>();
  const channel = tracingChannel<object>(channelNames.wait);
  channel.subscribe({
    start(message: object) {
      const name = names.get((message as WaitMessage).source);
      if (name !== undefined) timers.set(message, waits.startTimer({ name }));
    },
    asyncEnd(message: object) {
      const { error } = message as WaitMessage & { error?: { code?: string } };
      timers.get(message)?.({ outcome: error === undefined ? 'granted' : (error.code ?? 'aborted') });
    },
  } as Parameters<typeof channel.subscribe>[0]);
  subscribe(channelNames.limit, (message) => {
    const { source, to } = message as LimitMessage;
    const name = names.get(source);
    if (name !== undefined) limits.set({ name }, to);
  });
}
