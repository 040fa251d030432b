import { controlledDelay, fairShare } from 'latchkey/overload';
import { aFunction, boolean, duration, may, object } from '../support/wrong-values.js';
import { addOptions } from './row.js';

addOptions(
  'throws',
  'controlledDelay',
  { targetMs: may(duration), intervalMs: may(duration), newestFirst: may(boolean) },
  controlledDelay,
);
addOptions('throws', 'fairShare', { share: may(aFunction) }, fairShare);
addOptions('throws', 'fairShare', { within: may(object) }, fairShare);
