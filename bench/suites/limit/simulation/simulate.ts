/** One run of one law in one scenario, and its figures. The same seed gives the same run. */
import { Client, type Law, type Moment } from './client.js';
import type { Scenario } from './scenario.js';
import { Timeline } from './timeline.js';

/** What a law may be made from: `oracle` for the one that knows, `random` for those that roll dice. */
export interface LawContext {
  readonly scenario: Scenario;
  /** The index of the client that the law is for. */
  readonly client: number;
  readonly random: () => number;
}
export type MakeLaw = (context: LawContext) => Law;

export interface Run {
  readonly scenario: Scenario;
  /** Successes within their deadline and overloads a second, of all clients together. */
  readonly goodput: number;
  readonly overloads: number;
  /** The goodput of each client. */
  readonly goodputs: readonly number[];
  /** Of the backend's round trips, in milliseconds. */
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of a client. */
  readonly limit: { readonly mean: number; readonly deviation: number; readonly highest: number };
  /** Jain's index of the clients' goodput: 1 when all have the same, 1 / clients when one has all. */
  readonly fairness: number;
  /** Successes and the sum of their round trips in each quarter of a second. */
  readonly bins: { readonly successes: Float64Array; readonly durationMs: Float64Array };
  /** Of each client, every 25 ms. */
  readonly limits: readonly (readonly Moment[])[];
}

export const binMs = 250;
/** Clocks of different machines: 0 to four steps apart. */
const skews = 5;

export function simulate(scenario: Scenario, makeLaw: MakeLaw, seed: number): Run {
  const timeline = new Timeline(seed * 7_919 + 13);
  const { backend, load, loadOfFirst = load, timeoutMs } = scenario.build(timeline);
  const { clients: count = 1, staggerSeconds = 5, clockStepMs = 10 } = scenario;
  const clients = Array.from({ length: count }, (_, index) => {
    const law = makeLaw({ scenario, client: index, random: timeline.random.uniform });
    const clockSkewMs = (index % skews) * clockStepMs;
    return new Client(timeline, backend, {
      load: index === 0 ? loadOfFirst : load,
      law,
      timeoutMs,
      clockSkewMs,
      startMs: index * staggerSeconds * 1_000,
    });
  });
  timeline.run(scenario.seconds * 1_000);
  return figures(scenario, clients);
}

function figures(scenario: Scenario, clients: readonly Client[]): Run {
  const fromMs = scenario.fromSecond * 1_000;
  const seconds = scenario.seconds - scenario.fromSecond;
  const binCount = Math.ceil((scenario.seconds * 1_000) / binMs);
  const bins = { successes: new Float64Array(binCount), durationMs: new Float64Array(binCount) };
  const durations: number[] = [];
  const limits: number[] = [];
  const goodputs: number[] = [];
  let overloads = 0;
  for (const { notes } of clients) {
    const before = durations.length;
    notes.endedMs.forEach((endedMs, i) => {
      const durationMs = notes.durationMs[i]!;
      const bin = Math.min(binCount - 1, Math.floor(endedMs / binMs));
      bins.successes[bin]!++;
      bins.durationMs[bin]! += durationMs;
      if (endedMs >= fromMs) durations.push(durationMs);
    });
    const countSince = (times: readonly number[]) => times.filter((atMs) => atMs >= fromMs).length;
    goodputs.push((durations.length - before - countSince(notes.lateMs)) / seconds);
    overloads += countSince(notes.overloadMs);
    for (const { atMs, limit } of notes.limits) if (atMs >= fromMs) limits.push(limit);
  }
  const sorted = Float64Array.from(durations).sort();
  const limit = mean(limits);
  return {
    scenario,
    goodput: goodputs.reduce((a, b) => a + b, 0),
    overloads: overloads / seconds,
    goodputs,
    meanMs: mean(durations),
    p50Ms: sorted[Math.floor(0.5 * sorted.length)] ?? Number.NaN,
    p99Ms: sorted[Math.floor(0.99 * sorted.length)] ?? Number.NaN,
    limit: {
      mean: limit,
      deviation: Math.sqrt(mean(limits.map((value) => (value - limit) ** 2))),
      highest: limits.reduce((highest, value) => Math.max(highest, value), 0),
    },
    fairness: jain(goodputs),
    bins,
    limits: clients.map(({ notes }) => notes.limits),
  };
}

/**
 * How long after `second` a law was as good as the oracle, and stayed so for a second: goodput at least 90 %, mean round
 * trip at most 1.5 times. Infinity when it was not before `until`.
 */
export function convergedAfter(run: Run, oracle: Run, second: number, until: number): number {
  const holds = 4;
  const first = Math.floor((second * 1_000) / binMs);
  const last = Math.min(run.bins.successes.length, Math.floor((until * 1_000) / binMs));
  for (let bin = first; bin + holds <= last; bin++) {
    const own = sums(run, bin, holds);
    const best = sums(oracle, bin, holds);
    const isFull = own.successes >= 0.9 * best.successes;
    if (isFull && own.durationMs / own.successes <= 1.5 * (best.durationMs / best.successes)) {
      return (bin * binMs) / 1_000 - second;
    }
  }
  return Infinity;
}

function sums({ bins }: Run, first: number, count: number) {
  const sum = (values: Float64Array) => values.subarray(first, first + count).reduce((a, b) => a + b, 0);
  return { successes: sum(bins.successes), durationMs: sum(bins.durationMs) };
}

export function mean(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return values.length > 0 ? sum / values.length : Number.NaN;
}

function jain(values: readonly number[]): number {
  const sum = values.reduce((a, b) => a + b, 0);
  const squares = values.reduce((a, b) => a + b * b, 0);
  return squares > 0 ? sum ** 2 / (values.length * squares) : 1;
}
