import { type WatchOptions, watch } from 'latchkey/watch';
import { aFunction, boolean, duration, may, oneOf } from '../support/wrong-values.js';
import { addOptions } from './row.js';

addOptions(
  'throws',
  'watch',
  {
    deadlocks: may(oneOf('reject', 'report')),
    order: may(boolean),
    heldTooLongMs: may(duration),
    onReport: may(aFunction),
  },
  (options: WatchOptions) => watch(options).stop(),
);
