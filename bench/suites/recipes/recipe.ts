/** What the naive code of a recipe costs, beside the recipe itself: `docs/recipes/naive/x.ts` and `docs/recipes/x.ts`. */
import { monitorEventLoop } from 'latchkey/event-loop';
import type { PostgresServer } from '../../../test/support/engines/postgres.js';
import type { RedisServer } from '../../../test/support/engines/redis.js';

/** Real servers, started when they are first asked for. */
export interface Engines {
  postgres(): Promise<PostgresServer>;
  redis(): Promise<RedisServer>;
}

/** A row of a recipe's table; its other properties are the columns. */
export interface Figure {
  readonly what: string;
  readonly unit?: string;
  readonly [column: string]: number | string;
}

/** As it stands on the page. */
export function shown(figure: number | string, unit?: string): string {
  if (typeof figure === 'string') return figure;
  const isSmall = unit !== undefined && figure < 10;
  const digits = isSmall ? figure.toFixed(1) : Math.round(figure).toLocaleString('en-US');
  return unit === undefined ? digits : `${digits} ${unit}`;
}

export interface RecipeCost {
  /** The recipe's stem. */
  readonly name: string;
  measure(engines: Engines): Promise<readonly Figure[]>;
}

/** For how long nobody else was served while `work` was done, at the longest. */
export async function longestBlockMs(work: () => Promise<unknown>): Promise<number> {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  using loop = monitorEventLoop({ thresholdMs: 5 });
  await pause();
  await work();
  await pause();
  return loop.stats().longestBlockMs;
}
