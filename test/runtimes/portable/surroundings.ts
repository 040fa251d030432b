/** Features that browsers lack; checked where the runtime has them. */
import { ConnectionPool, Mutex } from 'latchkey';
import { channelNames } from 'latchkey/diagnostics';
import { type Claim, claim, equal } from './check.js';

interface Runtime {
  process?: { getBuiltinModule?(id: string): unknown };
}
interface AsyncHooks {
  AsyncLocalStorage: new <T>() => { run<R>(value: T, body: () => R): R; getStore(): T | undefined };
}
interface Diagnostics {
  tracingChannel(name: string): { subscribe(listeners: Record<string, (message: never) => void>): void };
}

function nodeModule<T>(id: string): T | undefined {
  return (globalThis as Runtime).process?.getBuiltinModule?.(id) as T | undefined;
}

export const surroundings: Claim[] = [];

const hooks = nodeModule<AsyncHooks>('node:async_hooks');
if (hooks !== undefined) {
  surroundings.push(
    claim("async context: a task runs in its caller's, a hook in the pool's", async () => {
      const request = new hooks.AsyncLocalStorage<string>();
      const seen: unknown[] = [];
      const pool = request.run('pool', () => {
        const connect = () => seen.push(request.getStore());
        return new ConnectionPool({ connect, close: () => {} });
      });
      const mutex = new Mutex();
      const holder = await mutex.acquire();
      const waiting = request.run('one', () => mutex.run(() => request.getStore()));
      request.run('two', () => holder.release());
      seen.push(await waiting);
      await request.run('three', () => pool.use(() => seen.push(request.getStore())));
      equal(seen, ['one', 'pool', 'three']);
      await pool.close();
    }),
  );
}

const diagnostics = nodeModule<Diagnostics>('node:diagnostics_channel');
if (diagnostics !== undefined) {
  surroundings.push(
    claim('diagnostics: a subscriber receives a message about a wait', async () => {
      const told: string[] = [];
      diagnostics.tracingChannel(channelNames.wait).subscribe({
        start: () => told.push('start'),
        asyncEnd: () => told.push('asyncEnd'),
      });
      const mutex = new Mutex();
      const holder = await mutex.acquire();
      const waiting = mutex.acquire();
      holder.release();
      (await waiting).release();
      equal(told.join(), 'start,asyncEnd');
    }),
  );
}
