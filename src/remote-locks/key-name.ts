/** Names in a database: what a key is called there, so that no two locks share a name. */
import { checkString } from '../contract/arguments.js';
import { printable } from '../contract/errors.js';

/** Keys are text in a database: an object would be '[object Object]', the same as every other object. */
export function nameOf(key: unknown): string {
  if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') {
    throw new TypeError(`key must be a string, a number or a bigint, got ${printable(key)}`);
  }
  const name = String(key);
  checkName('key', name);
  return name;
}

/**
 * PostgreSQL refuses NUL in a text. Half a surrogate pair cannot be encoded: all of them would become the same character, and
 * different keys one lock.
 */
export function checkName(name: string, value: unknown): void {
  checkString(name, value);
  if (/\0|\p{Surrogate}/u.test(value as string)) {
    throw new RangeError(`${name} must not contain NUL or half of a surrogate pair, got ${printable(value)}`);
  }
}

/** What is locked: a mutex and a semaphore of the same name are different locks. */
export type LockKind = 'mutex' | 'semaphore';

/** A namespace as it stands in names: without the characters that separate the parts of a name. */
export function escaped(namespace: string): string {
  return namespace.replace(/[%:{}]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
}

const longestKeyBytes = 200;

/**
 * Kind and key in one text; different ones have different texts. Long keys are replaced by their SHA-256, because they would
 * be stored, sent and compared again and again.
 */
export async function taggedKey(kind: LockKind, key: string): Promise<string> {
  if (key.length <= longestKeyBytes / 3) return `${kind}:${key}`;
  const bytes = new TextEncoder().encode(key);
  if (bytes.length <= longestKeyBytes) return `${kind}:${key}`;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return `${kind}-sha256:${Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
