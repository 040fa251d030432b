import { describe, expect, test } from 'vitest';
import { connectError, oldestLease } from '../../src/pool/pool-errors.js';
import type { Slot } from '../../src/pool/slot.js';

describe('the errors of callers that got no connection', () => {
  test('where to, and what connect threw, as far as there is anything to tell', () => {
    const refusal = new Error('refused');
    const told = [
      connectError('a', refusal),
      connectError(undefined, refusal),
      connectError('a', 'refused'),
      connectError(undefined, 5),
    ];
    expect(told.map(({ message }) => message)).toEqual([
      'could not connect to "a": refused',
      'could not connect: refused',
      'could not connect to "a"',
      'could not connect',
    ]);
    expect(told.map(({ key, cause }) => [key, cause])).toEqual([
      ['a', refusal],
      [undefined, refusal],
      ['a', 'refused'],
      [undefined, 5],
    ]);
  });

  /** A slot with leases that are held since then; it is 1,000 now. */
  const slotOf = (key: string | undefined, ...since: number[]) => {
    const leases = since.map((sinceMs) => ({ key, sinceMs, heldMs: 1_000 - sinceMs + 0.4 }));
    return { leases } as unknown as Slot<object, unknown>;
  };

  test('whose lease is the oldest, whichever slot comes first', () => {
    const [free, young, old, twin] = [
      slotOf('free'),
      slotOf('b', 500),
      slotOf('a', 700, 100),
      slotOf('c', 100),
    ];
    const told = 'the oldest lease has been held for 900 ms';
    expect(oldestLease([free, young, old])).toBe(told);
    expect(oldestLease([old, young, free])).toBe(told);
    expect(oldestLease([old, twin])).toBe(told);
    expect(oldestLease([slotOf(undefined, 750)])).toBe('the oldest lease has been held for 250 ms');
    expect([oldestLease([]), oldestLease([free])]).toEqual([undefined, undefined]);
  });
});
