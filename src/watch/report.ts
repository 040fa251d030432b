/** What a watcher reports, as data and as a sentence. Data are facts: names, places and times, never a permit or a task. */
import { printable } from '../contract/errors.js';
import { now } from '../runtime/clock.js';
import type { Order } from './lock-order.js';
import type { Hold, Step, Wait } from './wait-graph.js';

/** One wait of a deadlock and the permit that it waits for. */
export interface DeadlockStep {
  /** What the task waits for, such as `Mutex` or `KeyedMutex 'a'`. */
  readonly waitsFor: string;
  /** Where it waits, such as `transfer.ts:12:5`. */
  readonly waitsAt: string;
  readonly waitedMs: number;
  /** Where the permit was acquired that it waits for. */
  readonly heldAt: string;
  readonly heldMs: number;
}

/** Published to `onReport`; `String(report)` is a sentence for a log. */
export type WatchReport = { toString(): string } & (
  | {
      /** The waits can never end. `rejected`: the last of them was rejected with `DeadlockError`. */
      readonly kind: 'deadlock';
      readonly rejected: boolean;
      readonly cycle: readonly DeadlockStep[];
    }
  | {
      /** Locks were taken in orders that could deadlock. */
      readonly kind: 'order';
      readonly orders: readonly Readonly<Record<'first' | 'second' | 'firstPlace' | 'secondPlace', string>>[];
    }
  | {
      /** Held for longer than `heldTooLongMs`, or collected as garbage without a release. */
      readonly kind: 'heldTooLong' | 'leaked';
      readonly name: string;
      readonly heldMs: number;
      readonly place: string;
      /** Where it was acquired. */
      readonly stack: string;
    }
  | {
      /** The platform cannot follow tasks, so only some deadlocks are found. */
      readonly kind: 'limited';
    }
);

/**
 * A wait was rejected because it could never have ended. Its `cycle` says which waits and permits form the circle.
 *
 * @example
 * ```ts
 * import { Mutex } from 'latchkey';
 * import { DeadlockError, watch } from 'latchkey/watch';
 *
 * const watcher = watch({ deadlocks: 'reject' });
 * const mutex = new Mutex();
 * const error = await mutex.run(() => mutex.run(() => 'never')).catch((reason) => reason);
 * console.log(error instanceof DeadlockError, error.cycle.length); // → true 1
 * watcher.stop();
 * ```
 */
export class DeadlockError extends Error {
  static {
    Object.defineProperty(DeadlockError.prototype, 'name', {
      value: 'DeadlockError',
      writable: true,
      configurable: true,
    });
  }
  readonly code = 'ERR_DEADLOCK';
  readonly cycle: readonly DeadlockStep[];

  constructor(cycle: readonly DeadlockStep[]) {
    super(sentence(cycle));
    this.cycle = cycle;
  }
}

/** What is held or waited for, such as `Semaphore` or `KeyedMutex 'a'`. */
export function nameOf(source: object | undefined, key: unknown): string {
  const name = source?.constructor?.name ?? 'a lock';
  return key === undefined ? name : `${name} ${printable(key)}`;
}

export function nameOfHold({ source, key }: Hold): string {
  return nameOf(source.deref(), key);
}

export function nameOfWait({ source, missing }: Wait): string {
  const keys = [...missing];
  return nameOf(source, keys.length === 1 ? keys[0] : keys);
}

export function cycleOf(steps: readonly Step[]): DeadlockStep[] {
  const nowMs = now();
  return steps.map(({ wait, hold }) => ({
    waitsFor: nameOfWait(wait),
    waitsAt: wait.trace.place,
    waitedMs: Math.round(nowMs - wait.sinceMs),
    heldAt: hold.trace.place,
    heldMs: Math.round(nowMs - hold.sinceMs),
  }));
}

function sentence(cycle: readonly DeadlockStep[]): string {
  const [first, ...others] = cycle;
  if (first === undefined) return 'would wait for ever';
  const start = `would wait for ${first.waitsFor}, held for ${first.heldMs} ms since ${first.heldAt}`;
  if (others.length === 0) return `${start}, by the task that waits: it can never be released`;
  const rest = others.map(
    ({ waitsFor, waitsAt, heldAt }) =>
      `by a task that waits at ${waitsAt} for ${waitsFor}, held since ${heldAt}`,
  );
  return `${start}, ${rest.join(', ')}, by the first one`;
}

export function deadlockReport(steps: readonly Step[], rejected: boolean): WatchReport {
  const cycle = cycleOf(steps);
  const at = steps[0]?.wait.trace.place;
  const text = `deadlock at ${at}: the task ${sentence(cycle)}`;
  return { kind: 'deadlock', rejected, cycle, toString: () => text };
}

export function orderReport(orders: readonly Order[]): WatchReport {
  const facts = orders.map(({ first, second, firstPlace, secondPlace }) => ({
    first,
    second,
    firstPlace,
    secondPlace,
  }));
  const lines = facts.map(
    ({ first, second, firstPlace, secondPlace }) =>
      `${second} (at ${secondPlace}) while holding ${first} (since ${firstPlace})`,
  );
  const text = `these orders could deadlock: ${lines.join('; ')}. Take the locks in one order everywhere, or at once with runAll`;
  return { kind: 'order', orders: facts, toString: () => text };
}

export function holdReport(kind: 'heldTooLong' | 'leaked', hold: Hold): WatchReport {
  const name = nameOfHold(hold);
  const heldMs = Math.round(now() - hold.sinceMs);
  const { place, frames } = hold.trace;
  const what =
    kind === 'leaked'
      ? 'was collected as garbage without a release and stays held'
      : `has been held for ${heldMs} ms`;
  return {
    kind,
    name,
    heldMs,
    place,
    stack: frames.join('\n'),
    toString: () => `${name}, acquired at ${place}, ${what}`,
  };
}

export function limitedReport(): WatchReport {
  const text = 'this platform has no AsyncLocalStorage: only deadlocks within one synchronous call are found';
  return { kind: 'limited', toString: () => text };
}
