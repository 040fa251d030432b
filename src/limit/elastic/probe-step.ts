/**
 * How far a probe is above its base: further, in proportion, the smaller the base is.
 *
 * Processes in front of one full backend probe together. If all probed by the same factor, each would keep its share, however
 * small, and measure no gain. So a process with a small limit probes by a larger factor: it measures what it takes from the
 * others and grows, while a process with a large limit measures what it loses and shrinks, until all have the same. A process
 * alone measures the same elasticity whatever the factor is. All constants are tuned: see the simulation
 * (`npm run bench -- adaptive`).
 */

/** A probe is large enough to rise above chance, and small enough not to hurt: 40 % at a limit of 20. */
const usualStep = 0.4;
const usualLimit = 20;
/** With a limit twice as large, the step is this power of a half as large in proportion. */
const power = 0.25;
/** The step never becomes smaller than this, or it would be lost in chance. */
const smallestStep = 0.2;

/** The limit of a probe from `base`, not rounded. */
export function probeFrom(base: number): number {
  const step = Math.max(smallestStep, usualStep * (usualLimit / base) ** power);
  return Math.max(base + 1, base * (1 + step));
}
