/**
 * The goals of ElasticLimit in virtual time: ten seeds per scenario, each compared with the best fixed limit (the oracle).
 * The scenarios are those of `npm run bench -- adaptive`. The thresholds leave a little room below the measured values.
 */
import { describe, expect, test, vi } from 'vitest';
import { quantile } from '../../bench/harness/statistics.js';
import { oracle } from '../../bench/suites/limit/laws/fixed.js';
import { scenarioOf } from '../../bench/suites/limit/scenarios/index.js';
import { binMs, convergedAfter, type Run, simulate } from '../../bench/suites/limit/simulation/simulate.js';
import { ElasticLimit } from '../../src/limit/elastic-limit.js';

// The simulated time decides. How long a simulation runs depends on what else the machine does.
vi.setConfig({ testTimeout: 300_000 });

const seeds = Array.from({ length: 10 }, (_, i) => i + 1);
const known = new Map<string, { run: Run; best: Run }[]>();

/** Each scenario is simulated once, even if several tests use it. */
function runs(id: string): { run: Run; best: Run }[] {
  let found = known.get(id);
  if (found === undefined) {
    const scenario = scenarioOf(id);
    found = seeds.map((seed) => ({
      run: simulate(scenario, () => new ElasticLimit(), seed),
      best: simulate(scenario, oracle, seed),
    }));
    known.set(id, found);
  }
  return found;
}

const goodput = (id: string) => runs(id).map(({ run, best }) => run.goodput / best.goodput);
const meanTime = (id: string) => runs(id).map(({ run, best }) => run.meanMs / best.meanMs);
const p99 = (id: string) => runs(id).map(({ run, best }) => run.p99Ms / best.p99Ms);
const fairness = (id: string) => runs(id).map(({ run }) => run.fairness);
const seconds = (id: string, from: number, until: number) =>
  runs(id).map(({ run, best }) => convergedAfter(run, best, from, until));

const median = (values: number[]) => quantile(values, 0.5);
/** The second worst of ten. */
const p90 = (values: number[]) => [...values].sort((a, b) => a - b)[8] as number;
const worstLow = (values: number[]) => Math.min(...values);
const worstHigh = (values: number[]) => Math.max(...values);

describe('elastic limit, one process', () => {
  test.each(['a1', 'a2', 'a3', 'b1', 'b2', 'c1', 'c2', 'c3', 'd1', 'd2', 'e1', 'e2', 'f1', 'f2'])(
    '%s: at least 95 % of the best goodput (92 % with any seed), with at most 1.25 times its round trip',
    (id) => {
      expect(median(goodput(id))).toBeGreaterThanOrEqual(0.95);
      expect(worstLow(goodput(id))).toBeGreaterThanOrEqual(0.92);
      expect(worstHigh(p99(id))).toBeLessThanOrEqual(1.5);
      expect(median(meanTime(id))).toBeLessThanOrEqual(1.25);
    },
  );

  test('long tails, where a miss takes a hundred times as long as a hit, never leave the limit far too low', () => {
    for (const [id, usual, least] of [
      ['l3', 0.97, 0.85],
      ['t1', 0.9, 0.75],
      ['t2', 0.85, 0.6],
      ['t3', 0.85, 0.5],
    ] as const) {
      expect(median(goodput(id)), id).toBeGreaterThanOrEqual(usual);
      expect(worstLow(goodput(id)), id).toBeGreaterThanOrEqual(least);
    }
  });

  test('follows a halved backend within a second, and a restored one within two', () => {
    for (const id of ['c1', 'c2']) {
      expect(median(seconds(id, 30, 60))).toBeLessThanOrEqual(1);
      expect(p90(seconds(id, 30, 60))).toBeLessThanOrEqual(6);
      expect(median(seconds(id, 60, 90))).toBeLessThanOrEqual(2);
      expect(p90(seconds(id, 60, 90))).toBeLessThanOrEqual(4);
    }
  });

  test('a network that is 20 ms slower is not mistaken for a queue, and followed within a second', () => {
    expect(median(seconds('d2', 30, 60))).toBeLessThanOrEqual(1);
  });

  test('a network that becomes three times slower in a minute costs at most 5 % with any seed, a heavier mix 3 %', () => {
    expect(worstLow(goodput('d1'))).toBeGreaterThanOrEqual(0.95);
    expect(median(goodput('e2'))).toBeGreaterThanOrEqual(0.97);
    expect(worstLow(goodput('e2'))).toBeGreaterThanOrEqual(0.96);
  });

  test('40 s of little load do not move the limit, and the burst that follows is served', () => {
    for (const { run } of runs('g1')) {
      const before = run.limits[0]?.filter(({ atMs }) => atMs < 40_000).map(({ limit }) => limit);
      expect(new Set(before)).toEqual(new Set([20]));
    }
    expect(median(goodput('g1'))).toBeGreaterThanOrEqual(0.95);
    expect(worstLow(goodput('g1'))).toBeGreaterThanOrEqual(0.93);
    expect(worstHigh(p99('g1'))).toBeLessThanOrEqual(1.5);
  });

  test('a start five times too low or too high is corrected within two seconds', () => {
    expect(median(seconds('h1', 0, 20))).toBeLessThanOrEqual(2);
    expect(median(seconds('h2', 0, 20))).toBeLessThanOrEqual(2);
    expect(p90(seconds('h2', 0, 20))).toBeLessThanOrEqual(9);
  });

  test('a quota is used to 98 % with at most three refusals a second', () => {
    expect(worstLow(goodput('l5'))).toBeGreaterThanOrEqual(0.98);
    expect(worstHigh(runs('l5').map(({ run }) => run.overloads))).toBeLessThanOrEqual(3);
  });

  test('goodput is back two seconds after an outage of five seconds', () => {
    expect(worstLow(goodput('k5'))).toBeGreaterThanOrEqual(0.95);
    expect(p90(seconds('k5', 35, 60))).toBeLessThanOrEqual(2);
  });
});

/** Goodput of the seconds [from, until) as a share of the oracle's. */
const goodputBetween = (id: string, from: number, until: number) =>
  runs(id).map(({ run, best }) => {
    const sum = ({ bins }: Run) =>
      bins.successes.subarray((from * 1_000) / binMs, (until * 1_000) / binMs).reduce((a, b) => a + b, 0);
    return sum(run) / sum(best);
  });

describe('elastic limit, failures that no limit prevents', () => {
  test.each([
    ['m1', '5 %'],
    ['m2', 'an eighth (one broken replica)'],
    ['m3', '15 %'],
    ['m4', '30 %'],
  ])('%s: if %s of the calls fail at any limit, 95 % of the goodput is left', (id) => {
    expect(median(goodput(id))).toBeGreaterThanOrEqual(0.95);
    expect(worstLow(goodput(id))).toBeGreaterThanOrEqual(0.9);
    expect(median(meanTime(id))).toBeLessThanOrEqual(1.4);
  });

  test('m5: a tenant whose calls fail for 20 s costs at most 5 % of the goodput', () => {
    expect(median(goodput('m5'))).toBeGreaterThanOrEqual(0.95);
  });

  test.each([
    ['n1', 31, 'a hang of 1 s'],
    ['n2', 34, 'a hang of 4 s'],
    ['n3', 38, 'a hang of 8 s'],
    ['n4', 31, 'an outage of 1 s'],
    ['n5', 38, 'an outage of 8 s'],
  ])('%s: from second %d + 2 on, the goodput after %s is at least 95 % of the best', (id, endSecond) => {
    expect(median(goodputBetween(id, endSecond + 2, endSecond + 10))).toBeGreaterThanOrEqual(0.95);
    expect(worstLow(goodputBetween(id, endSecond + 2, endSecond + 10))).toBeGreaterThanOrEqual(0.9);
  });

  test('p1: pauses of 300 ms every 4 s are not mistaken for a smaller backend', () => {
    expect(worstLow(goodput('p1'))).toBeGreaterThanOrEqual(0.95);
  });

  test.each([
    ['q1', '3 calls a second of 12 s'],
    ['q4', '10 calls a second of 3 s'],
    ['q5', '1 call a second of 20 s'],
  ])(
    '%s: nearly all of a token bucket of %s is used, with at most two refusals for each call that it lets through',
    (id) => {
      expect(median(goodput(id))).toBeGreaterThanOrEqual(0.95);
      expect(worstLow(goodput(id))).toBeGreaterThanOrEqual(0.8);
      expect(median(runs(id).map(({ run }) => run.overloads / run.goodput))).toBeLessThanOrEqual(2);
    },
  );

  test('q3: a quota of 1,000 calls in each second is used to 90 %, with at most 400 refusals a second', () => {
    expect(median(goodput('q3'))).toBeGreaterThanOrEqual(0.9);
    expect(worstLow(goodput('q3'))).toBeGreaterThanOrEqual(0.85);
    expect(median(runs('q3').map(({ run }) => run.overloads))).toBeLessThanOrEqual(400);
  });

  test('r1: a start ten times too high in front of two slow servers does not last', () => {
    expect(median(goodput('r1'))).toBeGreaterThanOrEqual(0.95);
    expect(median(meanTime('r1'))).toBeLessThanOrEqual(2);
    expect(worstHigh(meanTime('r1'))).toBeLessThanOrEqual(4);
  });

  test('q2: a quota that moves is used to 88 %, and refuses at most 120 calls a second', () => {
    expect(median(goodput('q2'))).toBeGreaterThanOrEqual(0.88);
    expect(median(runs('q2').map(({ run }) => run.overloads))).toBeLessThanOrEqual(120);
  });
});

describe('elastic limit, several processes in front of one backend', () => {
  test('4 processes use all of the backend, fairly, at about twice the best round trip', () => {
    expect(worstLow(goodput('j1'))).toBeGreaterThanOrEqual(0.99);
    expect(median(meanTime('j1'))).toBeLessThanOrEqual(2.2);
    expect(worstLow(fairness('j1'))).toBeGreaterThanOrEqual(0.8);
  }, 60_000);

  test('if their clocks agree, 4 processes end as near to the best round trip as one', () => {
    expect(median(meanTime('j6'))).toBeLessThanOrEqual(1.25);
    expect(worstLow(fairness('j6'))).toBeGreaterThanOrEqual(0.9);
  }, 60_000);

  test('6 processes do not push a shared processor over its peak', () => {
    expect(median(goodput('l4'))).toBeGreaterThanOrEqual(0.94);
  }, 60_000);

  test('16 processes that start together five times too high end at no more than four times the best round trip', () => {
    expect(median(meanTime('j2'))).toBeLessThanOrEqual(4);
    expect(worstHigh(meanTime('j2'))).toBeLessThanOrEqual(6);
    expect(median(fairness('j2'))).toBeGreaterThanOrEqual(0.75);
  }, 60_000);

  test.each([
    ['s1', 400, 0.98, 0.95],
    ['s2', 800, 0.95, 0.85],
    ['s3', 1_000, 0.88, 0.8],
  ])(
    '%s: beside a batch, a process of %d calls a second gets nearly all of them answered in time',
    (id, _perSecond, usually, always) => {
      const inTime = runs(id).map(({ run, best }) => run.goodputs[1]! / best.goodputs[1]!);
      expect(median(inTime)).toBeGreaterThanOrEqual(usually);
      expect(worstLow(inTime)).toBeGreaterThanOrEqual(always);
      expect(median(goodput(id))).toBeGreaterThanOrEqual(0.95);
    },
    60_000,
  );
});
