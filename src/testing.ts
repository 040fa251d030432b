/** What every LeaseEngine must do, for the tests of your own engine: `latchkey/testing`. */

export {
  type LeaseEngineClaim,
  type LeaseEngineSubject,
  leaseEngineClaims,
} from './testing/lease-engine-claims.js';
