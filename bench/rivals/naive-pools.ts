/** The naive pools in the shape of the others. */

import { GlobalLockPool } from '../naive/global-lock-pool.js';
import { ThreePhasePool } from '../naive/three-phase-pool.js';
import type { MakePool } from './rival.js';

export const globalLock: MakePool = (dialler, { max }) => new GlobalLockPool({ ...dialler, max });

export const threePhases: MakePool = (dialler) => new ThreePhasePool(dialler);
