import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchEventLoop } from '../../../docs/recipes/event-loop-watch.js';
import { watchEventLoop as watchNaively } from '../../../docs/recipes/naive/event-loop-watch.js';
import type { RecipeCost } from './recipe.js';

const watchedMs = 30_000;
const blockMs = 1_000;

export const eventLoopWatch: RecipeCost = {
  name: 'event-loop-watch',
  async measure() {
    const lines: string[] = [];
    const naive = watchNaively();
    using _monitor = watchEventLoop((line) => void lines.push(line));
    await sleep(watchedMs / 2);
    execFileSync('sleep', [String(blockMs / 1_000)]);
    await sleep(watchedMs / 2);
    const { meanMs, p99Ms } = naive.gauges();
    naive.stop();
    const gauges = `mean ${meanMs.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`;
    const block = `for one synchronous call of ${blockMs / 1_000} s, in ${watchedMs / 1_000} s`;
    const longest = lines.find((line) => /blocked for \d{4} ms/.test(line)) ?? 'nothing';
    const share = lines.find((line) => line.includes('% of the time')) ?? 'nothing';
    return [
      { what: `reported ${block}`, naive: gauges, recipe: longest },
      { what: 'reported for the window of ten seconds with that call', naive: 'nothing', recipe: share },
    ];
  },
};
