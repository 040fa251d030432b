/** Refuses bad arguments by name: a `TypeError` for the wrong type, a `RangeError` for the wrong number. */
import { printable } from './errors.js';

export function checkFunction(name: string, value: unknown): void {
  if (typeof value === 'function') return;
  const got = printable(value);
  const advice = got === 'a promise' ? '; pass a function that starts the work, such as () => work()' : '';
  throw new TypeError(`${name} must be a function, got ${got}${advice}`);
}

export function checkObject(name: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(`${name} must be an object, got ${printable(value)}`);
  }
}

/** The names of all options of `O`. The type refuses a list that lacks one. */
export type OptionNames<O> = Readonly<Record<keyof O, true>>;

/**
 * Refuses an option that does not exist, because a misspelt one would be ignored silently. Names that every object inherits
 * are allowed.
 */
export function checkOptions(options: unknown, known: Readonly<Record<string, true>>): void {
  checkObject('options', options);
  for (const name of Object.keys(options as object)) {
    if (known[name] === true || name in Object.prototype) continue;
    const names = Object.keys(known);
    const nearest = nearestName(name, names);
    const advice = nearest === undefined ? `the options are ${names.join(', ')}` : `did you mean ${nearest}?`;
    throw new TypeError(`unknown option ${printable(name)}; ${advice}`);
  }
}

/** The name that shares the most pairs of letters with `name` (Dice), if that is more than half of them. */
function nearestName(name: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let most = 0.5;
  for (const candidate of names) {
    const [some, others] = [letterPairs(name), letterPairs(candidate)];
    const shared = [...some].filter((pair) => others.has(pair)).length;
    const likeness = (2 * shared) / (some.size + others.size);
    if (likeness > most) [nearest, most] = [candidate, likeness];
  }
  return nearest;
}

function letterPairs(name: string): ReadonlySet<string> {
  const letters = name
    .slice(0, 80)
    .toLowerCase()
    .replace(/[^a-z]/g, '');
  return new Set(Array.from({ length: letters.length - 1 }, (_, i) => letters.slice(i, i + 2)));
}

/**
 * The options, each read once: a getter could answer differently the second time.
 * @throws TypeError when they are no object.
 */
export function ownOptions<O extends object>(options: O): O {
  checkObject('options', options);
  return { ...options };
}

export function checkString(name: string, value: unknown): void {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string, got ${printable(value)}`);
}

export function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be a boolean, got ${printable(value)}`);
}

export function checkNumber(name: string, value: unknown): void {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, got ${printable(value)}`);
}

/** A whole number of at least `least`, or `Infinity`. */
export function checkCount(name: string, value: unknown, least = 0): void {
  checkNumber(name, value);
  const isWhole = Number.isSafeInteger(value) && !Object.is(value, -0);
  if (!((isWhole && (value as number) >= least) || value === Infinity)) {
    throw new RangeError(
      `${name} must be a whole number of at least ${least}, or Infinity, got ${printable(value)}`,
    );
  }
}

/** A count of at least 1, so that one caller can continue. */
export function checkLimit(name: string, value: unknown): void {
  checkCount(name, value, 1);
}

/** Milliseconds: 0 or more; fractions and `Infinity` are fine. */
export function checkDuration(name: string, value: unknown): void {
  checkNumber(name, value);
  if (!((value as number) >= 0)) {
    throw new RangeError(`${name} must be at least 0 milliseconds, or Infinity, got ${printable(value)}`);
  }
}

/** A finite number of 0 or more. */
export function checkFinite(name: string, value: unknown): void {
  checkNumber(name, value);
  if (!((value as number) >= 0 && (value as number) < Infinity)) {
    throw new RangeError(`${name} must be a finite number of at least 0, got ${printable(value)}`);
  }
}

/**
 * Refuses the call of a method that was taken off its object, as in `const { run } = semaphore` or
 * `emitter.on('job', semaphore.run)`.
 */
export function checkReceiver(
  name: string,
  object: unknown,
  type: abstract new (...args: never[]) => object,
): void {
  if (!(object instanceof type)) throw lostObject(name);
}

/** The error of a method that was taken off its object. */
export function lostObject(name: string): TypeError {
  return new TypeError(
    `a method of ${name} was called without its object; call it as object.method(), or pass () => object.method()`,
  );
}

export function checkSignal(name: string, value: unknown): void {
  const signal = value as Partial<AbortSignal> | null | undefined;
  if (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function') {
    throw new TypeError(`${name} must be an AbortSignal, got ${printable(value)}`);
  }
}
