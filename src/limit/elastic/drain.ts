/**
 * Drains: two slots well below the limit, so that the backend's queue empties and durations hold no waiting.
 *
 * On the shared grid the whole fleet drains at once, so this is the only unbiased baseline. It costs 0.4 % of goodput.
 * All constants are tuned: see the simulation (`npm run bench -- adaptive`).
 */
import { fewestSuccesses, type Measurement, type Phase } from './phase.js';

/** A drain runs at this share of the limit, or at `ratioLeft` / ratio if the queue is longer. */
const largestShare = 0.5;
const ratioLeft = 0.75;
/** A drain of lower elasticity than this started above the knee. */
const overshotBelow = 0.3;
/** The limit then falls to the one that the drain has shown to be enough, times this. */
const roomAbove = 1.2;
/** A drain without enough successes ends after this many slots, without a result. */
const longestSlots = 4;
/** With fewer successes, a drain has measured nothing. */
export const fewestOfDrain = 8;

/** The share of the limit to drain at. `ratio` is the round trip over its baseline. */
export function drainShare(ratio: number): number {
  return Math.min(largestShare, ratioLeft / ratio);
}

/** Whether a drain has lasted `slots` slots and measured enough, or too long. */
export function drainIsOver(phase: Phase, slots: number): boolean {
  return slots >= longestSlots || (slots > 1.5 && phase.successes >= fewestOfDrain);
}

/** Whether a relief has measured about two round trips. */
export function reliefIsOver(phase: Phase): boolean {
  return phase.successes >= Math.max(fewestOfDrain, 2 * phase.limit);
}

/** Whether the drain has cost so little goodput that the limit must have been above the knee. */
export function overshot(before: Measurement, drain: Phase): boolean {
  if (drain.successes < fewestSuccesses) return false;
  return lnLost(before, drain) / (before.lnLimit - Math.log(drain.limit)) < overshotBelow;
}

/** The limit that the goodput of the drain has shown to be enough, with a little room. */
export function drainedLimit(before: Measurement, drain: Phase): number {
  return roomAbove * drain.limit * Math.exp(lnLost(before, drain));
}

function lnLost(before: Measurement, drain: Phase): number {
  return Math.max(0, before.lnGoodput - drain.measured(0).lnGoodput);
}
