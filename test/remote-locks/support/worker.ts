/**
 * A process that takes a lock again and again, and logs when it held it. Its first argument has its orders.
 */
import { appendFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import type { KeyedLock, KeyLease } from 'latchkey';
import { PostgresMutex, PostgresSemaphore } from 'latchkey/postgres';
import { RedisMutex, RedisSemaphore } from 'latchkey/redis';
import { RemoteMutex } from 'latchkey/remote-locks';
import Libsql from 'libsql';
import pg from 'pg';
import { SqliteEngine } from '../../../docs/recipes/lock-on-sqlite.js';

/** Semaphores have one place. */
export type LockKind =
  | 'session'
  | 'sharedSession'
  | 'leaseTable'
  | 'postgresSemaphore'
  | 'redis'
  | 'redisSemaphore'
  | 'sqlite';

export interface Orders {
  readonly kind: LockKind;
  /** Of SQLite: the file. */
  readonly address: { host: string; port: number; user?: string; database?: string } | { file: string };
  readonly key: string;
  readonly grants: number;
  /** A line per event: `in <token> <pid>`, then `out <token> <pid>`, or `lost <token> <pid>`. */
  readonly log: string;
  /** Holds the lock for ever after its last grant, until it is killed. */
  readonly keepLast?: boolean;
  readonly ttlMs: number;
}

const orders = JSON.parse(process.argv[2] ?? '') as Orders;

function lockOf({ kind, address, key, ttlMs }: Orders): Pick<KeyedLock<string>, 'acquire'> {
  if ('file' in address) {
    const database = new Libsql(address.file);
    process.send?.('opening');
    return new RemoteMutex(new SqliteEngine(database), { ttlMs });
  }
  if (kind === 'redis' || kind === 'redisSemaphore') {
    const [commands, subscriber] = [new Redis(address), new Redis(address)];
    const send = ([command = '', ...args]: string[]) => commands.call(command, ...args);
    const options = {
      ttlMs,
      async subscribe(channel: string, listener: (message: string) => void) {
        subscriber.on('message', (_channel: string, message: string) => listener(message));
        await subscriber.subscribe(channel);
      },
    };
    if (kind === 'redis') return new RedisMutex(send, options);
    const semaphore = new RedisSemaphore(send, 1, { name: key, ...options });
    return { acquire: () => semaphore.acquire() };
  }
  const pool = new pg.Pool({ ...address, max: 4 });
  pool.on('error', () => {});
  if (kind === 'leaseTable') return new PostgresMutex(pool, { mode: 'leaseTable', ttlMs });
  if (kind !== 'postgresSemaphore') {
    return new PostgresMutex(pool, { mode: 'session', ttlMs, shareConnection: kind === 'sharedSession' });
  }
  const semaphore = new PostgresSemaphore(pool, 1, { name: key, ttlMs });
  return { acquire: () => semaphore.acquire() };
}

/**
 * A process that was stopped finds that its request, or a connection for it, came too late. One that is stopped while it writes to the
 * file of SQLite holds up the others.
 */
function acquire(): Promise<KeyLease<string>> {
  return lock.acquire(orders.key).catch((error) => {
    if (['ERR_ATTEMPT_TIMEOUT', 'ERR_NO_CONNECTION', 'SQLITE_BUSY'].includes(error.code)) return acquire();
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
