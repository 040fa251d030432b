/**
 * "The service is slow, although the CPU is idle. All requests wait for a lock, and no graph shows which one."
 *
 * The package already publishes every wait on one channel. This recipe makes a histogram of the waits, by lock and outcome. It
 * counts only the locks that you name, because one label per key or per request overloads a metrics server.
 */
import { subscribe, tracingChannel } from 'node:diagnostics_channel';
import { channelNames, type LimitMessage, type WaitMessage } from 'latchkey/diagnostics';
import { Gauge, Histogram, type Registry } from 'prom-client';

/** `names`: the names of your locks, semaphores, queues and flights. Measures for the life of the process. */
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
