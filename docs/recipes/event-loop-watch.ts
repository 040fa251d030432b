/**
 * "Now and then every request takes a second, health checks fail, and the CPU is at 30 %."
 *
 * Naive: a gauge of the mean delay, or its p99 per beat: one block of a second is one beat among a hundred, and stays out
 * of both.
 */
import { type EventLoopMonitor, monitorEventLoop } from 'latchkey/event-loop';

export function watchEventLoop(log: (line: string) => void): EventLoopMonitor {
  return monitorEventLoop({
    thresholdMs: 50,
    budget: 0.02,
    onBlock: ({ blockedMs, cause }) => log(`event loop blocked for ${Math.round(blockedMs)} ms: ${cause}`),
    onOverBudget: ({ blockedShare, blocks, longestBlockMs }) =>
      log(
        `event loop blocked ${Math.round(100 * blockedShare)} % of the time: ` +
          `${blocks} blocks, the longest ${Math.round(longestBlockMs)} ms`,
      ),
  });
}
