/**
 * Drains: two slots well below the limit, so that what queues in the backend goes, and a call takes what it takes. On
 * the shared grid the whole fleet holds back at once, which makes it the only honest baseline. Costs 0.4 % of goodput.
 */
import { fewestSuccesses, type Measurement, type Phase } from './phase.js';

/** Half of the limit, or less where a longer queue has to go. */
const largestShare = 0.5;
const ratioLeft = 0.75;
/** A drain that cost less than this (as an elasticity) began above the knee. */
const overshotBelow = 0.3;
/** Then the limit comes down to what the drained one has shown to be enough, and a little room. */
const roomAbove = 1.2;
/** Calls that take very long end a drain without a result. */
const longestSlots = 4;

/** `ratio`: how many times the baseline a round trip takes. */
export function drainShare(ratio: number): number {
  return Math.min(largestShare, ratioLeft / ratio);
}

export function drainIsOver(phase: Phase, slots: number): boolean {
  return slots >= longestSlots || (slots > 1.5 && phase.successes >= 8);
}

/** Whether holding back has cost so little that the limit must have been above the knee. */
export function overshot(before: Measurement, drain: Phase): boolean {
  if (drain.successes < fewestSuccesses) return false;
  return lnLost(before, drain) / (before.lnLimit - Math.log(drain.limit)) < overshotBelow;
}

export function drainedLimit(before: Measurement, drain: Phase): number {
  return roomAbove * drain.limit * Math.exp(lnLost(before, drain));
}

function lnLost(before: Measurement, drain: Phase): number {
  return Math.max(0, before.lnGoodput - drain.measured(0).lnGoodput);
}
