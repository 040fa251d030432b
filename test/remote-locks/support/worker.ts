/**
 * A process that takes a lock again and again, and logs when it held it. Its first argument has its orders.
 */
import { appendFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import type { KeyedLock, KeyLease } from 'latchkey';
import { PostgresMutex } from 'latchkey/postgres';
import { RedisMutex } from 'latchkey/redis';
import pg from 'pg';

export interface Orders {
  readonly kind: 'redis' | 'session' | 'leaseTable';
  readonly address: { host: string; port: number; user?: string; database?: string };
  readonly key: string;
  readonly grants: number;
  /** A line per event: `in <token> <pid>`, then `out <token> <pid>`, or `lost <token> <pid>`. */
  readonly log: string;
  /** Holds the lock for ever after its last grant, until it is killed. */
  readonly keepLast?: boolean;
  readonly ttlMs: number;
}

const orders = JSON.parse(process.argv[2] ?? '') as Orders;

function lockOf({ kind, address, ttlMs }: Orders): KeyedLock<string> {
  if (kind === 'redis') {
    const [commands, subscriber] = [new Redis(address), new Redis(address)];
    return new RedisMutex(([command = '', ...args]) => commands.call(command, ...args), {
      ttlMs,
      async subscribe(channel, listener) {
        subscriber.on('message', (_channel: string, message: string) => listener(message));
        await subscriber.subscribe(channel);
      },
    });
  }
  const pool = new pg.Pool({ ...address, max: 4 });
  pool.on('error', () => {});
  return new PostgresMutex(pool, { mode: kind, ttlMs });
}

/** A process that was stopped finds that its request, or a connection for it, came too late. */
function acquire(): Promise<KeyLease<string>> {
  return lock.acquire(orders.key).catch((error) => {
    if (['ERR_ATTEMPT_TIMEOUT', 'ERR_NO_CONNECTION'].includes(error.code)) return acquire();
    throw error;
  });
}

const lock = lockOf(orders);
for (let grants = 0; grants < orders.grants; ) {
  const lease = await acquire();
  // Each line is one write, which the system makes at once: the order of lines is the order of events.
  const write = (what: string) => appendFileSync(orders.log, `${what} ${lease.token} ${process.pid}\n`);
  if (!lease.signal.aborted) {
    write('in');
    grants++;
    if (orders.keepLast && grants === orders.grants) {
      process.send?.('holding');
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    }
    write(lease.signal.aborted ? 'lost' : 'out');
  }
  await lease.release();
}
process.exit();
