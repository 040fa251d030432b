/** Names in a database. */
import { describe, expect, test } from 'vitest';
import { checkName, escaped, nameOf, taggedKey } from '../../src/remote-locks/key-name.js';

describe('names', () => {
  test('kind, namespace and key are distinguished, with all kinds of characters', async () => {
    const parts = ['a', 'a:b', 'b', '', '%3a', ':', '{', '}', '{a}', 'a%', 'mutex', 'mutex:a', 'semaphore'];
    const names = new Set<string>();
    for (const kind of ['mutex', 'semaphore'] as const)
      for (const namespace of parts)
        for (const key of parts) names.add(`${escaped(namespace)}:${await taggedKey(kind, key)}`);
    expect(names.size).toBe(2 * parts.length ** 2);
  });

  test('the default namespace, and a plain key, stand as they are', async () => {
    expect(escaped('latchkey')).toBe('latchkey');
    expect(escaped('a:b{c}%')).toBe('a%3ab%7bc%7d%25');
    expect(await taggedKey('mutex', 'order 7')).toBe('mutex:order 7');
  });

  test('keys of more than 200 bytes are hashed, and are not those whose text looks like a hash', async () => {
    expect(await taggedKey('mutex', 'x'.repeat(200))).toBe(`mutex:${'x'.repeat(200)}`);
    const hashed = await taggedKey('mutex', 'x'.repeat(201));
    expect(hashed).toMatch(/^mutex-sha256:[0-9a-f]{64}$/);
    expect(await taggedKey('mutex', 'x'.repeat(202))).not.toBe(hashed);
    expect(await taggedKey('mutex', hashed.slice('mutex-sha256:'.length))).not.toBe(hashed);
    expect(await taggedKey('mutex', 'é'.repeat(100))).toBe(`mutex:${'é'.repeat(100)}`);
    expect(await taggedKey('mutex', 'é'.repeat(101))).toMatch(/^mutex-sha256:/);
  });

  test.each(['a', 7, 7n])('%o is a key', (key) => expect(nameOf(key)).toBe(String(key)));
  test.each([{}, null, undefined, true, Symbol('a')])('a key must be a string or a number: %o', (key) => {
    expect(() => nameOf(key)).toThrow(TypeError);
  });
  test.each(['a\0', '\ud800', 'a\udc00b'])(
    '%j is refused: a database cannot distinguish it from other keys',
    (key) => {
      expect(() => nameOf(key)).toThrow(/^key must not contain NUL or half of a surrogate pair/);
      expect(() => checkName('name', key)).toThrow(RangeError);
    },
  );
  test('a whole surrogate pair is fine', () => expect(nameOf('\u{1F600}')).toBe('\u{1F600}'));
});
