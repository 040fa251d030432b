import { printable } from '../contract/errors.js';

/** Keys are text in a database: an object would be '[object Object]', and lock all the others. */
export function nameOf(key: unknown): string {
  if (typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint') return String(key);
  throw new TypeError(`key must be a string, a number or a bigint, got ${printable(key)}`);
}
