import { age } from './age.js';
import { badWeather } from './bad-weather.js';
import { closing } from './closing.js';
import { comingAndGoing } from './coming-and-going.js';
import { dialling } from './dialling.js';
import { evidence } from './evidence.js';
import { failure } from './failure.js';
import { fairness } from './fairness.js';
import { features } from './features.js';
import { givingBack } from './giving-back.js';
import { givingUp } from './giving-up.js';
import { keepingReady } from './keeping-ready.js';
import { lending } from './lending.js';

/** All claims about the pool, by theme. T numbers the cases of the specification. */
export const claims = {
  dialling,
  failure,
  evidence,
  fairness,
  givingUp,
  givingBack,
  lending,
  keepingReady,
  comingAndGoing,
  age,
  closing,
  badWeather,
  features,
};
