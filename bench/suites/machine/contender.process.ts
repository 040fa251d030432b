/** A process that takes one kind of lock on command, and reports when. The kind is its first argument. */
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';
import { MachineMutex } from 'latchkey/machine';
import { RedisMutex } from 'latchkey/redis';
import type { Order, Report } from '../../../test/machine/support/guest.process.js';
import { locks } from '../../rivals/web-locks.js';

export type Kind = 'MachineMutex' | 'RedisMutex' | 'proper-lockfile' | 'Web Locks';
type Release = () => unknown;
type Acquire = (key: string) => Promise<Release>;

const [kind, port, folder] = process.argv.slice(2) as [Kind, string, string];

interface LockFile {
  lock(file: string, options: object): Promise<() => Promise<void>>;
}

const kinds: Record<Kind, () => Acquire> = {
  MachineMutex() {
    const mutex = new MachineMutex({ namespace: folder });
    return async (key) => {
      const lease = await mutex.acquire(key);
      return () => lease.release();
    };
  },
  RedisMutex() {
    const [commands, subscriber] = [new Redis(Number(port)), new Redis(Number(port))];
    const mutex = new RedisMutex(([command = '', ...args]) => commands.call(command, ...args), {
      async subscribe(channel, listener) {
        subscriber.on('message', (_channel: string, message: string) => listener(message));
        await subscriber.subscribe(channel);
      },
    });
    return async (key) => {
      const lease = await mutex.acquire(key);
      return () => lease.release();
    };
  },
  'proper-lockfile'() {
    const { lock } = createRequire(import.meta.url)('proper-lockfile') as LockFile;
    const retries = { forever: true, minTimeout: 5, maxTimeout: 100 };
    return (key) => lock(`${folder}/${key}`, { realpath: false, retries });
  },
  'Web Locks'() {
    return (key) =>
      new Promise((granted) => {
        locks?.request(key, () => new Promise<void>((release) => granted(release)));
      });
  },
};

const acquire = kinds[kind]();
let release: Release = () => {};

async function obey({ act, key, grants = 0 }: Order): Promise<unknown> {
  if (act === 'acquire') {
    release = await acquire(key);
    return { token: '0', atNs: String(process.hrtime.bigint()) };
  }
  if (act === 'release') {
    const atNs = String(process.hrtime.bigint());
    await release();
    return { atNs };
  }
  return act === 'time hand-overs' ? handOverTimes(key, grants) : grantTimes(key, grants);
}

async function grantTimes(key: string, grants: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < grants; i++) {
    const startedMs = performance.now();
    const free = await acquire(key);
    await free();
    times.push(performance.now() - startedMs);
  }
  return times;
}

/** From a release to the grant of a caller that waits in this process. */
async function handOverTimes(key: string, grants: number): Promise<number[]> {
  const times: number[] = [];
  let free = await acquire(key);
  for (let i = 0; i < grants; i++) {
    let startedMs = 0;
    const next = acquire(key).then((nextRelease) => {
      times.push(performance.now() - startedMs);
      return nextRelease;
    });
    // The other caller has joined the queue by then.
    await new Promise((resolve) => setTimeout(resolve, 1));
    startedMs = performance.now();
    await Promise.all([free(), next]);
    free = await next;
  }
  await free();
  return times;
}

process.on('message', (order: Order) => {
  const tell = (report: Report) => process.send?.(report);
  obey(order).then(
    (value) => tell({ id: order.id, value }),
    (error: Error) => tell({ id: order.id, error: error.message }),
  );
});
