/**
 * Runs a task that holds something, and releases it in the turn in which the task ends, however it ends.
 *
 * Invariants
 *   RR1  The holder is released once the task has ended, before the caller's own code sees the result.
 *   RR2  The promise settles as the task does: value or error untouched. If the task throws at once, the promise rejects.
 *   RR3  A task ends once. A promise is followed as `await` follows it: with the `then` of its class, not with one of its own
 *        that could call back twice.
 *
 * A plain `then` with two handlers is the cheapest way to follow a promise: an `async` wrapper costs a third more,
 * `finally` more than twice as much. V8 allocates a context on every call of a function that contains closures, so
 * `Holder` creates its two handlers once and reuses them, which saves a quarter of the cost.
 */
import type { Awaitable } from '../contract/types.js';
import { watching } from '../runtime/observer.js';

export interface Releasable {
  release(): void;
}

/** Settles as `answer` does. Only a thenable needs `Promise.resolve`, which makes it settle once. */
function follow<T, R>(
  answer: Awaitable<T>,
  onValue: (value: T) => R,
  onError: (error: unknown) => never,
): Promise<R> {
  const promise = answer as Promise<T> | null | undefined;
  // Looked up at every call: zone.js and others replace it after this file was loaded.
  const { then } = Promise.prototype;
  if (promise?.then === then && promise.constructor === Promise) return promise.then(onValue, onError);
  return then.call(Promise.resolve(answer), onValue as never, onError) as Promise<R>;
}

/** Runs many tasks, which do not receive the holder. */
export abstract class Holder {
  #succeed: (<T>(value: T) => T) | undefined;
  #fail: ((error: unknown) => never) | undefined;

  abstract release(): void;

  run<T>(task: (...nothing: never[]) => Awaitable<T>): Promise<T> {
    if (this.#succeed === undefined) this.#makeHandlers();
    try {
      // Not inside the call of `follow`: V8 compiles that to slower code.
      const answer = task();
      return follow(answer, this.#succeed!<T>, this.#fail!);
    } catch (error) {
      this.release();
      return Promise.reject(error);
    }
  }

  #makeHandlers(): void {
    this.#succeed = (value) => {
      this.release();
      return value;
    };
    this.#fail = (error) => {
      this.release();
      throw error;
    };
  }
}

/** Runs the only task of a holder. The task receives the holder. */
export function runAndRelease<T, H extends Releasable>(
  holder: H,
  task: (holder: H) => Awaitable<T>,
): Promise<T> {
  try {
    return follow(
      watching.observer === undefined ? task(holder) : watching.observer.run(holder, () => task(holder)),
      (value) => {
        holder.release();
        return value;
      },
      (error) => {
        holder.release();
        throw error;
      },
    );
  } catch (error) {
    holder.release();
    return Promise.reject(error);
  }
}

/** A holder that has to learn how its task ended. */
export interface Reporting<T, Task> {
  /** Calls the task: not a closure around it, which would cost a tenth of a pool's `use`. */
  start(task: Task): Awaitable<T>;
  onSuccess(value: unknown): void;
  onFailure(error: unknown): void;
}

/** Runs the only task of such a holder. What `onSuccess` or `onFailure` throws is what the caller gets. */
export function runAndReport<T, Task>(
  holder: Reporting<T, Task>,
  task: Task,
  permit: object = holder,
): Promise<T> {
  const fail = (error: unknown): never => {
    holder.onFailure(error);
    throw error;
  };
  try {
    return follow(
      watching.observer === undefined
        ? holder.start(task)
        : watching.observer.run(permit, () => holder.start(task)),
      (value) => {
        holder.onSuccess(value);
        return value;
      },
      fail,
    );
  } catch (error) {
    // What an executor throws rejects its promise.
    return new Promise(() => fail(error));
  }
}
