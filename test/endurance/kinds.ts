/** Everything that callers can use, each with all kinds of calls and all kinds of faults. */
import { calls } from './calls.js';
import type { Kind } from './kind.js';
import { locks } from './locks.js';
import { pools } from './pools.js';

export const kinds: readonly Kind[] = [...locks, ...pools, ...calls];
