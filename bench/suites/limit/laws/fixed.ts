import type { Law } from '../simulation/client.js';
import type { LawContext } from '../simulation/simulate.js';

export function fixed(limit: number): () => Law {
  return () => ({ limit, onSample() {} });
}

/** The best fixed limit at every moment, which a real program cannot know. */
export function oracle({ scenario, client }: LawContext): Law {
  return follow((second) => scenario.oracle(second, client));
}

/** A cautious guess: two fifths of the best. */
export function tooLow({ scenario, client }: LawContext): Law {
  return follow((second) => Math.max(1, Math.round(scenario.oracle(second, client) / 2.5)));
}

function follow(limitAt: (second: number) => number): Law {
  let limit = limitAt(0);
  return {
    get limit() {
      return limit;
    },
    onSample() {},
    tick(nowMs) {
      limit = limitAt(nowMs / 1_000);
    },
  };
}
