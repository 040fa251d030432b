/**
 * PostgresSemaphore: so many at a time, over all processes that use the same PostgreSQL; a row of the lease table per place.
 *
 * Invariants: those of LeaseKeeper, and
 *   PS1  Each place has at most one owner whose end has not come by the server's clock.
 *
 * Hand-over: first come, first served within a process; between processes whoever asks first. Those who wait ask every 25 to
 * 250 ms. Cancel, Cost: as PostgresMutex in mode 'leaseTable'.
 */
import { checkObject, checkString } from '../contract/arguments.js';
import type { Awaitable, KeyLease, Limiter, WaitOptions } from '../contract/types.js';
import { checkPlaces, LeaseKeeper, type LeaseOptions } from '../remote-locks/lease-keeper.js';
import { defaultTable, LeaseTableEngine } from './lease-table-engine.js';
import { checkPool, type PostgresPool } from './postgres-client.js';

export interface PostgresSemaphoreOptions extends LeaseOptions {
  /** Semaphores of one name share their places. */
  name: string;
  /** Default 'latchkey'. */
  namespace?: string | undefined;
  /** Made by what `leaseTableSchema` says. Default 'latchkey_leases'. */
  table?: string | undefined;
}

export class PostgresSemaphore implements Limiter {
  readonly #keeper: LeaseKeeper<string>;
  readonly #name: string;

  /** @throws TypeError or RangeError that names the option and the value. */
  constructor(pool: PostgresPool, limit: number, options: PostgresSemaphoreOptions) {
    checkPool(pool);
    checkPlaces(limit);
    checkObject('options', options);
    const { name, namespace = 'latchkey', table = defaultTable } = options;
    checkString('name', name);
    checkString('namespace', namespace);
    this.#name = name;
    const engine = new LeaseTableEngine(pool, namespace, table, limit);
    this.#keeper = new LeaseKeeper(this, engine, String, options, limit);
  }

  /** Runs `task` in one of the places; settles as the task does. Rejects as `PostgresMutex.run` does. */
  run<T>(task: (lease: KeyLease<string>) => Awaitable<T>, options?: WaitOptions): Promise<T> {
    return this.#keeper.run(this.#name, task, options);
  }

  /** Waits for a place; the lease works with `await using`. */
  acquire(options?: WaitOptions): Promise<KeyLease<string>> {
    return this.#keeper.acquire(this.#name, options);
  }

  /** Gives back all places that this object holds, for a shutdown. */
  releaseAll(): Promise<void> {
    return this.#keeper.releaseAll();
  }
}
