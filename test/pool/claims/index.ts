import { age } from './age.js';
import { badWeather } from './bad-weather.js';
import { closing } from './closing.js';
import { comingAndGoing } from './coming-and-going.js';
import { dialling } from './dialling.js';
import { failure } from './failure.js';
import { fairness } from './fairness.js';
import { features } from './features.js';
import { givingBack } from './giving-back.js';
import { givingUp } from './giving-up.js';
import { lending } from './lending.js';

/** All claims about the pool, by theme. T numbers the cases of the specification. */
export const claims = {
  dialling,
  failure,
  fairness,
  givingUp,
  givingBack,
  lending,
  comingAndGoing,
  age,
  closing,
  badWeather,
  features,
};
