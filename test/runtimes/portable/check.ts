/** Claims, and the few assertions that they use: no test framework runs everywhere. */

export interface Claim {
  readonly name: string;
  readonly holds: () => void | Promise<void>;
}

export function claim(name: string, holds: Claim['holds']): Claim {
  return { name, holds };
}

/** Compares arrays item by item, anything else as `Object.is` does. */
export function equal(actual: unknown, expected: unknown): void {
  if (!isEqual(actual, expected)) throw new Error(`expected ${shown(expected)}, got ${shown(actual)}`);
}

function isEqual(actual: unknown, expected: unknown): boolean {
  if (!Array.isArray(actual) || !Array.isArray(expected)) return Object.is(actual, expected);
  return actual.length === expected.length && actual.every((item, index) => isEqual(item, expected[index]));
}

function shown(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(shown).join(', ')}]` : String(value);
}

export function ok(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}

/** The reason with which the promise rejects. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => Promise.reject(new Error(`expected a rejection, got ${shown(value)}`)),
    (reason: unknown) => reason,
  );
}

export async function rejectsWithCode(promise: Promise<unknown>, code: string): Promise<void> {
  const reason = await rejection(promise);
  if ((reason as { code?: unknown }).code !== code)
    throw new Error(`expected ${code}, got ${String(reason)}`);
}

export function throwsNamed(action: () => unknown, name: string): void {
  try {
    action();
  } catch (error) {
    equal((error as Error).name, name);
    return;
  }
  throw new Error(`expected a ${name}`);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
