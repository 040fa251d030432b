/** ceil(items * time / cycle) with the time that is measured, each second, within [5, 50]: slow calls ask for more. */
import type { Law } from '../simulation/client.js';
import type { LawContext } from '../simulation/simulate.js';
import { clamp } from './bounds.js';

export function operationsFormula({ scenario }: LawContext): Law {
  let limit = 5;
  let nextMs = 1_000;
  let calls = 0;
  let durationSumMs = 0;
  return {
    get limit() {
      return limit;
    },
    onSample({ nowMs, durationMs }) {
      calls++;
      durationSumMs += durationMs;
      if (nowMs < nextMs) return;
      const perMs = scenario.demandPerSecond / 1_000;
      limit = clamp(Math.ceil((perMs * durationSumMs) / calls), 5, 50);
      nextMs = nowMs + 1_000;
      calls = 0;
      durationSumMs = 0;
    },
  };
}
