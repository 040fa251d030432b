/**
 * "Now and then every request takes a second, health checks fail, and the CPU is at 30 %."
 *
 * A block of a second is one late tick among hundreds, so a mean or a p99 of ticks does not show it. Here each block is logged
 * when it happens, with its likely cause, and the share of time in blocks has a budget.
 */
import { type EventLoopMonitor, monitorEventLoop } from 'latchkey/event-loop';

export function watchEventLoop(log: (line: string) => void): EventLoopMonitor {
  return monitorEventLoop({
    thresholdMs: 50,
    budget: 0.02,
    onBlock: ({ blockedMs, cause }) => log(`event loop blocked for ${Math.round(blockedMs)} ms: ${cause}`),
    onOverBudget: ({ blockedShare, blocks, longestBlockMs }) =>
      log(
        `event loop blocked ${Math.round(100 * blockedShare)} % of the time, ` +
          `blocks: ${blocks}, the longest: ${Math.round(longestBlockMs)} ms`,
      ),
  });
}
