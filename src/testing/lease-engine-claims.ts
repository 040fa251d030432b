/**
 * What every LeaseEngine must do, as a list of claims that any test runner can check. Each claim uses keys of its own, so that
 * they may run one after the other or all at once.
 *
 * Time is real, unless the subject brings its own `pause`.
 */
import { grantClaims } from './grant-claims.js';
import { inquiryClaims } from './inquiry-claims.js';
import { lifetimeClaims } from './lifetime-claims.js';
import type { LeaseEngineClaim } from './trial.js';

/**
 * The claims. An engine that keeps all of them can be given to `RemoteMutex` or `RemoteSemaphore`.
 *
 * @example
 * ```ts
 * import { leaseEngineClaims } from 'latchkey/testing';
 *
 * const broken = {
 *   acquire: async () => ({ token: 1n }),
 *   renew: async () => true,
 *   release: async () => true,
 * };
 * const ends = await Promise.allSettled(leaseEngineClaims.map(({ check }) => check({ makeEngine: () => broken })));
 * console.log(ends[1]?.status); // → rejected
 * ```
 */
export const leaseEngineClaims: readonly LeaseEngineClaim[] = [
  ...grantClaims,
  ...lifetimeClaims,
  ...inquiryClaims,
];
