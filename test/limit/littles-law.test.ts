import { describe, expect, test } from 'vitest';
import { littlesLaw } from '../../src/limit/littles-law.js';

describe("Little's law", () => {
  test('gives how many calls must run at once: ceil(items x duration / time), within the bounds', () => {
    expect(littlesLaw({ items: 1_000, durationMs: 200, withinMs: 60_000 })).toBe(4);
    expect(littlesLaw({ items: 1, durationMs: 1, withinMs: 1_000, min: 5 })).toBe(5);
    expect(littlesLaw({ items: 1_000_000, durationMs: 1_000, withinMs: 1_000, max: 50 })).toBe(50);
    expect(() => littlesLaw({ items: -1, durationMs: 1, withinMs: 1 })).toThrow('items');
    expect(() => littlesLaw({ items: 1, durationMs: 1, withinMs: 0 })).toThrow('withinMs');
  });

  test('rounds up, and refuses arguments without a finite answer', () => {
    expect(littlesLaw({ items: 61, durationMs: 1_000, withinMs: 60_000 })).toBe(2);
    expect(littlesLaw({ items: 60, durationMs: 1_000, withinMs: 60_000 })).toBe(1);
    expect(littlesLaw({ items: 5, durationMs: 1, withinMs: Infinity })).toBe(1);
    expect(() => littlesLaw({ items: 1e308, durationMs: 1e308, withinMs: 1 })).toThrow('must be finite');
    expect(() => littlesLaw({ items: 1, durationMs: 1, withinMs: 1, min: 3, max: 2 })).toThrow('min');
    expect(littlesLaw({ items: 1, durationMs: 1, withinMs: 1, min: 2, max: 2 })).toBe(2);
  });
});
