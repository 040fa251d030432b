/**
 * How the package calls hooks, the functions that users give it. There are two kinds:
 *
 * - A listener receives a report, and its answer is not used. What it throws or rejects with is ignored.
 * - A decider is asked a question, and its answer is used at once. A promise is refused, with an error that names the hook.
 *
 * Invariants
 *   H1  No hook causes an unhandled rejection, whatever it throws, answers or rejects with.
 *   H2  A hook runs in the async context in which its object was made.
 *   H3  A listener is never awaited, and cannot change what happens next.
 *   H4  A decider that answers a promise is refused with a TypeError that names the hook.
 *
 * Functions without an object (`retry`, `gatherSettled`) call their hooks in the context of their caller: `directly`.
 */
interface Caller {
  run<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): R;
}

/** For hooks of a function: the context is already that of its caller. */
export const directly: Caller = { run: (fn, ...args) => fn(...args) };

/** Calls a listener, if there is one. */
export function notify<A extends unknown[]>(
  context: Caller,
  listener: ((...args: A) => unknown) | undefined,
  ...args: A
): void {
  if (listener === undefined) return;
  try {
    ignoreRejection(context.run(listener, ...args));
  } catch {
    // H3
  }
}

/** Asks a decider. @throws what the decider throws; TypeError when it answers a promise. */
export function decide<A extends unknown[], R>(
  context: Caller,
  name: string,
  decider: (...args: A) => R,
  ...args: A
): R {
  return plainAnswer(name, context.run(decider, ...args));
}

/** The answer of a decider. @throws TypeError when it is a promise. */
export function plainAnswer<R>(name: string, answer: R): R {
  if (!isThenable(answer)) return answer;
  ignoreRejection(answer);
  throw new TypeError(`${name} must answer at once, but it returned a promise`);
}

function isThenable(value: unknown): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  return typeof (value as { then?: unknown }).then === 'function';
}

/** For a call whose answer is not used: a promise among the answers must not reject unhandled. */
export function ignoreRejection(answer: unknown): void {
  if (answer !== undefined) Promise.resolve(answer).catch(() => {});
}
