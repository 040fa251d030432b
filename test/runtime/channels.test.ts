import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel as nodeChannel } from 'node:diagnostics_channel';
import { exposeKeys } from 'latchkey/diagnostics';
import { afterEach, describe, expect, test } from 'vitest';
import { channel, TracingChannel, tracingChannel } from '../../src/runtime/channels.js';

type Events = [string, Record<string, unknown>][];
const parts = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
afterEach(() => exposeKeys(false));

/** A tracing channel of its own, and what is published on it. */
function traced(name: string) {
  const events: Events = [];
  for (const part of parts) {
    nodeChannel(name)[part].subscribe((message) => {
      events.push([part, { ...(message as object) }]);
    });
  }
  return { events, tracing: tracingChannel<object>(name) };
}

describe('tracing channels', () => {
  test('a promise that resolves is reported as Node reports one, without its value', async () => {
    const { events, tracing } = traced('test:resolves');
    expect(await tracing.tracePromise(async () => 'value', { held: 1 })).toBe('value');
    expect(events.map(([part]) => part)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(events.every(([, message]) => JSON.stringify(message) === '{"held":1}')).toBe(true);
  });

  test.each([
    [
      'an error',
      Object.assign(new RangeError('secret'), { code: 'ERR_X' }),
      { name: 'RangeError', code: 'ERR_X' },
    ],
    ['a numeric code', Object.assign(new Error('secret'), { code: 7 }), { name: 'Error', code: 7 }],
    ['a number', 7, { name: 'number' }],
    [
      'a reason that cannot be read',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('unreadable');
          },
        },
      ),
      { name: 'object' },
    ],
  ])(
    'a promise that rejects with %s is reported with facts, and rejects with it',
    async (what, reason, error) => {
      const { events, tracing } = traced(`test:${what}`);
      const rejected = await tracing.tracePromise(() => Promise.reject(reason), {}).catch((given) => [given]);
      expect((rejected as unknown[])[0] === reason).toBe(true);
      expect(events.map(([part]) => part)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
      expect(events[2]?.[1]).toEqual({ error });
    },
  );

  test('a tracer can bind an async context to the start', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { tracing } = traced('test:bound');
    nodeChannel('test:bound').start.bindStore(storage, () => 'a span');
    expect(await tracing.tracePromise(async () => storage.getStore(), {})).toBe('a span');
  });

  test('a runtime whose channels bind no context gets the start too', async () => {
    const events: string[] = [];
    const part = (name: string) => ({ hasSubscribers: true, publish: () => void events.push(name) });
    const [start, end, asyncStart, asyncEnd, error] = parts.map(part);
    const tracing = new TracingChannel<object>({ start, end, asyncStart, asyncEnd, error } as never);
    await tracing.tracePromise(async () => {}, {});
    expect(events).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
  });

  test('the keys of a group are published one by one, once they are exposed', () => {
    const { events, tracing } = traced('test:keys');
    exposeKeys(true);
    void tracing.tracePromise(async () => {}, { key: ['ann', 7, { host: 'db' }] });
    expect(events[0]?.[1]).toEqual({ key: ['ann', 7, 'object'] });
    expect(channel('test:none').hasSubscribers).toBe(false);
  });
});
