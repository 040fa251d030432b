/** What a bench says about a table, in a sentence, with made-up rows. */
import { expect, test } from 'vitest';
import { conclusionOf } from '../../bench/harness/conclusion.js';
import type { Measured } from '../../bench/harness/measure.js';
import type { Result } from '../../bench/harness/results.js';

function row(role: Measured['role'], name: string, cost: number, counts: Measured['counts'] = {}): Measured {
  return { name, role, cost, spread: 0, rounds: 3, counts, targets: [] };
}

const table = (rows: readonly Measured[], more: Partial<Result> = {}): Result => ({
  suite: 'mutex',
  title: 'Mutex',
  shows: '',
  rows,
  ...more,
});

test('it names the fastest package that is ahead, and how far the others are behind', () => {
  const rows = [
    row('latchkey', 'latchkey', 2),
    row('peer', 'quick', 1),
    row('peer', 'slow', 4),
    row('peer', 'slower', 20),
  ];
  expect(conclusionOf(table(rows))).toBe(
    'latchkey takes 2.00 ms; quick is 2.00x faster; slow and slower are 2.00x to 10.0x slower.',
  );
});

test('bytes are less or more', () => {
  const rows = [row('latchkey', 'latchkey', 200), row('peer', 'small', 100)];
  expect(conclusionOf(table(rows, { unit: 'bytes' }))).toBe('latchkey takes 200 B; small is 2.00x less.');
});

test('it tells what the naive way gets wrong', () => {
  const rows = [row('naive', 'no lock', 1, { lost: 99 }), row('latchkey', 'latchkey', 1, { lost: 0 })];
  expect(conclusionOf(table(rows, { countsOnly: true }))).toBe('lost: 0 with latchkey, 99 with no lock.');
});

test('a table without a row of ours has no conclusion', () => {
  expect(conclusionOf(table([row('peer', 'other', 1)]))).toBeUndefined();
});
