/**
 * MachineMutex: one holder at a time for each key, over all processes and worker threads of one user on one machine. There is
 * no server: to hold a key is to have bound a name that the kernel gives to one process and takes back when that process ends.
 *
 * Invariants: those of LeaseKeeper, HeldPlace (MC1 to MC5), PlaceWait (MC6, MC7), TokenClock (MC8, MC9), and
 *   MC10  `lease.signal` never aborts: a key is not lost while its process lives.
 *
 * Hand-over: within a process first come, first served; between processes the longest waiter is called first (MC4).
 * Cancel: giving up rejects at once and closes the connection to the holder.
 * Cost: one socket bound and closed per grant, one connection per waiting process. No write, no timer, no polling.
 * What it is not: a lock across machines, containers or users. Two containers have two network namespaces, and two users have
 *   different names. It does not stop a child process that a killed holder has left behind: fence with `lease.token`.
 * Lineage: the abstract socket as single-instance lock, given a queue.
 */
import { checkOptions } from '../contract/arguments.js';
import { RemoteMutex } from '../remote-locks/remote-lock.js';
import { MachineEngine, type MachineLockOptions, machineOptionNames, withoutEnd } from './machine-engine.js';

/**
 * One holder at a time for each key, among all processes and worker threads of this user on this machine. Needs Linux, and no
 * server. The key of a process that ends, in whatever way, is free at once. `lease.signal` never aborts; `lease.token` is larger
 * than that of every earlier holder.
 *
 * Waits reject with `signal.reason`, `WaitTimeoutError`, `ClosedError`, or the error of the operating system, for instance when
 * no file descriptor is free. A `WaitTimeoutError` names the process that holds the key.
 *
 * @example
 * ```ts
 * import { MachineMutex } from 'latchkey/machine';
 *
 * const mutex = new MachineMutex({ namespace: 'example-mutex' });
 * const first = mutex.run('report', () => 'first');
 * const second = mutex.run('report', () => 'second');
 * console.log((await Promise.all([first, second])).join(', ')); // → first, second
 * ```
 */
export class MachineMutex<K extends string | number | bigint = string> extends RemoteMutex<K> {
  /** @throws TypeError or RangeError that names the option and the value; Error where the system is not Linux. */
  constructor(options: MachineLockOptions = {}) {
    checkOptions(options, machineOptionNames);
    super(new MachineEngine('mutex', options), withoutEnd(options));
  }
}
