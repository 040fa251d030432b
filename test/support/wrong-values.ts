/** Values of every type, some of which throw when they are inspected; and the valid values of arguments. */
import fc from 'fast-check';

/** Whether this value is valid for a kind of argument. */
export type Domain = (value: unknown) => boolean;

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && !Object.is(value, -0);

export const count: Domain = (value) => (isWhole(value) && value >= 0) || value === Infinity;
export const limit: Domain = (value) => (isWhole(value) && value >= 1) || value === Infinity;
export const finiteLimit: Domain = (value) => isWhole(value) && value >= 1;
export const duration: Domain = (value) => typeof value === 'number' && value >= 0;
export const finite: Domain = (value) => duration(value) && value !== Infinity;
export const object: Domain = (value) => typeof value === 'object' && value !== null;
export const aFunction: Domain = (value) => typeof value === 'function';
export const string: Domain = (value) => typeof value === 'string';
export const boolean: Domain = (value) => typeof value === 'boolean';
export const signal: Domain = (value) => value instanceof AbortSignal;

export const may =
  (domain: Domain): Domain =>
  (value) =>
    value === undefined || domain(value);

export const oneOf =
  (...choices: unknown[]): Domain =>
  (value) =>
    choices.includes(value);

function boom(): never {
  throw new Error('do not look at me');
}

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

const hostileTraps: ProxyHandler<object> = Object.fromEntries(
  Object.getOwnPropertyNames(Reflect).map((trap) => [trap, boom]),
);

export const specialValues: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  ...[0, -0, 1, -1, 1.5, 2 ** 31, 2 ** 53, 5e-324, Number.MAX_VALUE, Infinity, -Infinity, Number.NaN],
  ...['', '5', 'text', 'x'.repeat(10_000), '\u{d800}'],
  ...[0n, 5n, -1n, 10n ** 30n],
  ...[Symbol('five'), Symbol.iterator],
  ...[[], [5], [[[5]]], Object.defineProperty([1], 0, { get: boom })],
  ...[
    {},
    Object.create(null),
    { valueOf: boom, toString: boom, [Symbol.toPrimitive]: boom },
    { valueOf: () => 5 },
  ],
  ...[new Date(0), /5/, new Map(), new Set([5]), new Uint8Array(2), new Error('five'), new AbortController()],
  ...[Object(5), Object('text'), Object(true), Object(5n)],
  ...[() => 5, class Five {}, async () => 5, boom],
  // biome-ignore lint/suspicious/noThenProperty: thenables are what this is about
  ...[Promise.resolve(5), { then: boom }, Object.defineProperty({}, 'then', { get: boom })],
  ...[new Proxy({}, hostileTraps), new Proxy([], hostileTraps), revoked({}), revoked([])],
];

/** The special ones are not among them: some break fast-check as well. */
export const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withNullPrototype: true,
    withMap: true,
  }),
  fc.double(),
);

/** Whether a value is valid. If looking at it throws, the error may also reach the caller. */
export function safely(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return true;
  }
}
