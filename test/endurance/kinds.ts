/** Everything that callers can use, each with all that a caller may do to it and all that may go wrong under it. */
import { calls } from './calls.js';
import type { Kind } from './kind.js';
import { locks } from './locks.js';
import { pools } from './pools.js';

export const kinds: readonly Kind[] = [...locks, ...pools, ...calls];
