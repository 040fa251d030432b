/** `npm run bench -- --check` can fail: what it compares, with made-up rows. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type Budget, budgetOf, compare, rowsOf, type Verdict } from '../../bench/harness/budget.js';
import type { Growth } from '../../bench/harness/growth.js';
import type { Measured } from '../../bench/harness/measure.js';
import type { Result } from '../../bench/harness/results.js';
import { exponentOf, spreadOf } from '../../bench/harness/statistics.js';

const table = 'Mutex: run(task), uncontended';

function measured(name: string, rounds: readonly number[], more: Partial<Measured> = {}): Measured {
  const cost = 40e-6;
  const versusFloor = spreadOf(rounds);
  return {
    name,
    role: 'latchkey',
    cost,
    spread: 0,
    rounds: rounds.length,
    counts: {},
    targets: [],
    versusFloor,
    ...more,
  };
}

function resultOf(...rows: readonly Measured[]): Result {
  return { suite: 'mutex', title: table, shows: '', rows };
}

function budget(ratio: number, low = ratio, high = ratio): Budget {
  return { suite: 'mutex', table, name: 'latchkey', ratio, low, high };
}

/** The verdict on the one row that took these ratios. */
function verdictOn(rounds: readonly number[], against: Budget): Verdict['verdict'] | undefined {
  return compare([against], rowsOf([resultOf(measured('latchkey', rounds))]))[0]?.verdict;
}

describe('bench check', () => {
  test('a row above its budget by more than the noise is slower, and is named', () => {
    const rows = rowsOf([resultOf(measured('latchkey', [2.3, 2.31, 2.32]))]);
    expect(compare([budget(2, 1.98, 2.02)], rows)).toEqual([
      {
        suite: 'mutex',
        table,
        name: 'latchkey',
        ratio: 2.31,
        budget: 2,
        noise: expect.closeTo(0.05),
        verdict: 'slower',
      },
    ]);
  });

  test('the same excess does not count if the rounds lie that far apart', () => {
    expect(verdictOn([1.9, 2.31, 2.7], budget(2))).toBe('ok');
    expect(verdictOn([2.31], budget(2, 1.9, 2.3))).toBe('ok');
  });

  test('noise around a much slower row does not hide it', () => {
    expect(verdictOn([3, 4, 5], budget(2, 1.9, 2.1))).toBe('slower');
  });

  test('with equal quartiles a fiftieth of the budget is allowed', () => {
    expect(verdictOn([2.03, 2.03, 2.03], budget(2))).toBe('ok');
    expect(verdictOn([2.05, 2.05, 2.05], budget(2))).toBe('slower');
  });

  test('a row that costs a hundredth of the floor may double', () => {
    expect(verdictOn([0.008], budget(0.002))).toBe('ok');
    expect(verdictOn([0.02], budget(0.002))).toBe('slower');
  });

  test('a row far below its budget is reported, because the budget could be tighter', () => {
    expect(verdictOn([1.5, 1.5, 1.5], budget(2))).toBe('faster');
  });

  test('a row that is no longer measured is reported as gone', () => {
    expect(compare([budget(2)], [])).toMatchObject([{ verdict: 'gone', name: 'latchkey' }]);
  });

  test('a row without a budget is new', () => {
    expect(compare([], rowsOf([resultOf(measured('latchkey', [2]))]))).toMatchObject([{ verdict: 'new' }]);
  });

  test('only ratios count, not times', () => {
    const slowMachine = measured('latchkey', [2, 2, 2], { cost: 40 });
    expect(compare([budget(2)], rowsOf([resultOf(slowMachine)]))).toMatchObject([{ verdict: 'ok' }]);
  });

  test('the processes of one check are one row with the rounds of all', () => {
    const results = [[2, 2.1], [2.4], [2.2, 2.3]].map((rounds) => resultOf(measured('latchkey', rounds)));
    expect(rowsOf(results)).toMatchObject([{ ratio: { median: 2.2, quartiles: [2.1, 2.3] } }]);
  });

  test('floors and peers have no budget', () => {
    const floor = measured('await task()', [1], { role: 'floor' });
    const peer = measured('p-limit', [12], { role: 'peer' });
    expect(rowsOf([resultOf(floor, peer)])).toEqual([]);
  });

  test('a row that has become quadratic is over the budget of a linear one', () => {
    const grown = (versusFloor: number): Result => {
      const growth: Growth = {
        perOperation: [1, 1, 1],
        exponent: spreadOf([1]),
        versusFloor: spreadOf([versusFloor]),
      };
      const { versusFloor: _, ...row } = measured('latchkey', [1]);
      return resultOf({ ...row, growth });
    };
    const linear = rowsOf([grown(1.8), grown(2.2)]).map(budgetOf);
    expect(compare(linear, rowsOf([grown(2.1)]))).toMatchObject([{ verdict: 'ok' }]);
    expect(compare(linear, rowsOf([grown(100)]))).toMatchObject([{ verdict: 'slower' }]);
  });

  test('a budget is a measurement: compared with itself it is met', () => {
    const rows = rowsOf([resultOf(measured('latchkey', [1.91234, 2.01234, 2.11234]))]);
    expect(compare(rows.map(budgetOf), rows)).toMatchObject([{ verdict: 'ok' }]);
  });

  test('every committed budget has its median between its quartiles', async () => {
    const file = new URL('../../bench/budgets.json', import.meta.url);
    const { budgets } = JSON.parse(await readFile(file, 'utf8')) as { budgets: Budget[] };
    expect(budgets.length).toBeGreaterThan(20);
    for (const { low, ratio, high } of budgets) {
      expect(low).toBeLessThanOrEqual(ratio);
      expect(ratio).toBeLessThanOrEqual(high);
    }
  });
});

describe('bench growth', () => {
  test.each([
    ['constant', 0],
    ['linear', 1],
    ['quadratic', 2],
  ])('the exponent of %s growth is %i', (_, exponent) => {
    const points = [1_000, 10_000, 100_000].map((size) => [size, 3 * size ** exponent] as const);
    expect(exponentOf(points)).toBeCloseTo(exponent, 9);
  });
});
