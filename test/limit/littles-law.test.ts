import { describe, expect, test } from 'vitest';
import { littlesLaw } from '../../src/limit/littles-law.js';

describe("Little's law", () => {
  test('tells how many must run at once: ceil(items x duration / time), within the bounds', () => {
    expect(littlesLaw({ items: 1_000, durationMs: 200, withinMs: 60_000 })).toBe(4);
    expect(littlesLaw({ items: 1, durationMs: 1, withinMs: 1_000, min: 5 })).toBe(5);
    expect(littlesLaw({ items: 1_000_000, durationMs: 1_000, withinMs: 1_000, max: 50 })).toBe(50);
    expect(() => littlesLaw({ items: -1, durationMs: 1, withinMs: 1 })).toThrow('items');
    expect(() => littlesLaw({ items: 1, durationMs: 1, withinMs: 0 })).toThrow('withinMs');
  });
});
