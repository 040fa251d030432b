/** A row per argument of every public function: its valid values, and the call with a value in its place. */
import type * as core from 'latchkey';
import { aFunction, type Domain, duration, limit, may, object, signal } from '../support/wrong-values.js';

/** The object under test, and the check afterwards that the call had no effect. */
export interface Stage<S> {
  readonly subject: S;
  /** Takes all there is, so that the next caller would have to wait; returns the function that releases it. */
  hold?(): () => void;
  /** Nothing is held, no caller waits, and no work was begun. */
  free(): boolean;
}

export interface Row {
  readonly what: string;
  readonly argument: string;
  readonly allows: Domain;
  readonly how: 'throws' | 'rejects';
  make(): Stage<(value: unknown) => unknown>;
}

export const rows: Row[] = [];

export type Calls<S> = Record<string, [allows: Domain, call: (subject: S, value: never) => unknown]>;

/** Adds a row per argument of one callee; `call` puts the value in the argument's place. */
export function add<S>(how: Row['how'], what: string, make: () => Stage<S>, calls: Calls<S>): void {
  for (const [argument, [allows, call]] of Object.entries(calls)) {
    const makeCall = () => {
      const stage = make();
      return { ...stage, subject: (value: unknown) => call(stage.subject, value as never) };
    };
    rows.push({ what, argument, allows, how, make: makeCall });
  }
}

/** Every argument of a constructor or of a plain function; the others are valid. */
export function addOptions(
  how: Row['how'],
  what: string,
  allowed: Record<string, Domain>,
  call: (options: never) => unknown,
  required: object = {},
): void {
  const calls: Calls<undefined> = {
    options: [Object.keys(required).length > 0 ? object : may(object), (_, v) => call(v)],
  };
  for (const [name, allows] of Object.entries(allowed)) {
    calls[name] = [allows, (_, value) => call({ ...required, [name]: value } as never)];
  }
  add(how, what, onNothing, calls);
}

export const onNothing = (): Stage<undefined> => ({ subject: undefined, free: () => true });

/** How often work was begun that should not have been. */
let begun = 0;
export const work = (): void => {
  begun++;
};
/** A stage on which no work may be begun. */
export function idleStage<S>(
  subject: S,
  free: () => boolean,
  hold?: () => (() => void) | undefined,
): Stage<S> {
  const before = begun;
  return { subject, free: () => begun === before && free(), hold: () => hold?.() ?? (() => {}) };
}

export const wait = { signal: may(signal), waitTimeoutMs: may(duration) };

/** The arguments that every `run(task, options)` and `acquire(options)` has. */
export function addLock<S extends core.Limiter & { acquire(options?: core.WaitOptions): Promise<unknown> }>(
  what: string,
  make: () => Stage<S>,
  run = 'run',
): void {
  add('rejects', `${what}.${run}`, make, {
    task: [aFunction, (lock, task) => lock.run(task)],
    options: [may(object), (lock, options) => lock.run(work, options)],
    signal: [wait.signal, (lock, value) => lock.run(work, { signal: value })],
    waitTimeoutMs: [wait.waitTimeoutMs, (lock, value) => lock.run(work, { waitTimeoutMs: value })],
  });
  add('rejects', `${what}.acquire`, make, {
    options: [may(object), (lock, options) => lock.acquire(options)],
    signal: [wait.signal, (lock, value) => lock.acquire({ signal: value })],
    waitTimeoutMs: [wait.waitTimeoutMs, (lock, value) => lock.acquire({ waitTimeoutMs: value })],
  });
}

/** The same for functions with keys. */
export function addKeyedLock<K>(
  what: string,
  key: K,
  make: () => Stage<core.KeyedLock<K>>,
  run = 'run',
): void {
  const onKey = () => {
    const { subject, ...rest } = make();
    const lock = {
      run: (task: () => never, options?: core.WaitOptions) => subject.run(key, task, options),
      acquire: (options?: core.WaitOptions) => subject.acquire(key, options),
    };
    return { subject: lock as core.Limiter & typeof lock, ...rest };
  };
  addLock(what, onKey, run);
}

export const idle = () => idleStage(undefined, () => true);

const retryOptions: Record<string, Domain> = {
  attempts: may(limit),
  backoff: may(aFunction),
  attemptTimeoutMs: may(duration),
  totalTimeoutMs: may(duration),
  shouldRetry: may(aFunction),
  retryAfterMs: may(aFunction),
  maxRetryAfterMs: may(duration),
  budget: may(object),
  signal: may(signal),
  onRetry: may(aFunction),
};
/** Options that are passed on to `retry`, which refuses them before anything is begun. */
export function addRetrying(
  what: string,
  call: (options: never) => unknown,
  more: Record<string, Domain> = {},
): void {
  const calls: Calls<undefined> = { options: [may(object), (_, value) => call(value)] };
  for (const [name, allows] of Object.entries({ ...retryOptions, ...more })) {
    calls[name] = [allows, (_, value) => call({ [name]: value } as never)];
  }
  add('rejects', what, idle, calls);
}

/** A database that must not get a statement. */
export async function nobody(): Promise<never> {
  begun++;
  throw new Error('nobody is there');
}
