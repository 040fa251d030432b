/** A process, a worker of a cluster or a thread that uses locks of the machine as the test orders, and reports. */
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { KeyLease, WaitOptions } from 'latchkey';
import { MachineMutex, MachineSemaphore } from 'latchkey/machine';

export interface Order {
  readonly id: number;
  readonly act:
    | 'acquire'
    | 'release'
    | 'block'
    | 'leave a child'
    | 'log grants'
    | 'time grants'
    | 'time hand-overs';
  readonly namespace: string;
  readonly directory: string;
  readonly key: string;
  /** Of a semaphore with this limit instead of a mutex. */
  readonly limit?: number;
  readonly waitTimeoutMs?: number;
  readonly ms?: number;
  readonly grants?: number;
  readonly log?: string;
}

export interface Report {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

const leases = new Map<string, KeyLease<string>>();

function acquire({ namespace, directory, key, limit, waitTimeoutMs }: Order): Promise<KeyLease<string>> {
  const options: WaitOptions = { waitTimeoutMs };
  if (limit !== undefined)
    return new MachineSemaphore(limit, { name: key, namespace, directory }).acquire(options);
  return new MachineMutex({ namespace, directory }).acquire(key, options);
}

/** A line per event, which the system appends as a whole: their order is the order of events. */
async function logGrants({ namespace, directory, key, grants = 0, log = '' }: Order): Promise<void> {
  const mutex = new MachineMutex({ namespace, directory });
  for (let i = 0; i < grants; i++) {
    await mutex.run(key, ({ token }) => {
      appendFileSync(log, `in ${process.pid} ${token}\n`);
      return new Promise<void>((resolve) =>
        setImmediate(() => {
          appendFileSync(log, `out ${process.pid} ${token}\n`);
          resolve();
        }),
      );
    });
  }
}

async function obey(order: Order): Promise<unknown> {
  const { act, key, ms = 0 } = order;
  switch (act) {
    case 'acquire': {
      const lease = await acquire(order);
      leases.set(key, lease);
      return { token: String(lease.token), atNs: String(process.hrtime.bigint()) };
    }
    case 'release': {
      const { signal } = leases.get(key)!;
      const atNs = String(process.hrtime.bigint());
      await leases.get(key)!.release();
      return { lost: signal.aborted, atNs };
    }
    case 'block':
      for (const untilMs = performance.now() + ms; performance.now() < untilMs; );
      return undefined;
    case 'leave a child':
      return spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
        detached: true,
        stdio: 'ignore',
      }).pid;
    case 'log grants':
      return logGrants(order);
    default:
      throw new Error(`${act} is for the programs of the bench`);
  }
}

const tell = (report: Report) => (parentPort ? parentPort.postMessage(report) : process.send?.(report));

(parentPort ?? process).on('message', (order: Order) => {
  obey(order).then(
    (value) => tell({ id: order.id, value }),
    (error: Error) => tell({ id: order.id, error: `${error.name}: ${error.message}` }),
  );
});

// It listens now: a message to a worker of a cluster that nobody listens for is lost.
tell({ id: 0 });
