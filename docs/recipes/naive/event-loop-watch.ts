import { monitorEventLoopDelay } from 'node:perf_hooks';

/** The histogram that comes with Node. */
export function watchEventLoop() {
  const delays = monitorEventLoopDelay();
  delays.enable();
  return {
    gauges: () => ({ meanMs: delays.mean / 1e6, p99Ms: delays.percentile(99) / 1e6 }),
    stop: () => void delays.disable(),
  };
}
