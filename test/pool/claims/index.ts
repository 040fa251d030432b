import { age } from './age.js';
import { closing } from './closing.js';
import { dialling } from './dialling.js';
import { failure } from './failure.js';
import { fairness } from './fairness.js';
import { givingBack } from './giving-back.js';
import { givingUp } from './giving-up.js';

/** All that is claimed of the pool, by theme. T numbers the cases of the specification. */
export const claims = { dialling, failure, fairness, givingUp, givingBack, age, closing };
