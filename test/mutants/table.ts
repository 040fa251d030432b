/** Every known mistake, each with the suite that finds it. */
import type { KnownMutant } from './known-mutant.js';
import { leaseMutants } from './leases.js';
import { lockMutants } from './locks.js';
import { poolMutants } from './pool.js';
import { flightMutants, queueMutants } from './queue-and-flights.js';

export const knownMutants: readonly KnownMutant[] = [
  ...lockMutants,
  ...poolMutants,
  ...queueMutants,
  ...flightMutants,
  ...leaseMutants,
];
