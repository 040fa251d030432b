/** What every LeaseEngine must do, for the tests of your own engine: `latchkey/testing`. */

export { leaseEngineClaims } from './testing/lease-engine-claims.js';
export type { LeaseEngineClaim, LeaseEngineSubject } from './testing/trial.js';
