import * as core from 'latchkey';
import {
  aFunction,
  count,
  duration,
  finite,
  finiteLimit,
  limit,
  may,
  object,
  oneOf,
} from '../support/wrong-values.js';
import { add, addOptions, onNothing } from './row.js';

const algorithm: core.LimitAlgorithm = { limit: 1, onSample() {} };
addOptions(
  'throws',
  'AdaptiveSemaphore',
  {
    algorithm: may(object),
    maxWaiting: may(count),
    waitTimeoutMs: may(duration),
    classify: may(aFunction),
    onLimitChange: may(aFunction),
  },
  (value) => new core.AdaptiveSemaphore(value),
);
add('throws', 'AdaptiveSemaphore.pauseFor', onNothing, {
  ms: [finite, (_, ms) => new core.AdaptiveSemaphore().pauseFor(ms)],
});
add('throws', 'LimitAlgorithm', onNothing, {
  limit: [limit, (_, value) => new core.AdaptiveSemaphore({ algorithm: { ...algorithm, limit: value } })],
  'algorithm.onSample': [
    aFunction,
    (_, onSample) => new core.AdaptiveSemaphore({ algorithm: { limit: 1, onSample } }),
  ],
});
const sample: core.LimitSample = { nowMs: 5, durationMs: 5, held: 1, limit: 1, outcome: 'success' };
for (const Limit of [core.AimdLimit, core.ElasticLimit, core.VegasLimit]) {
  const bounds = { initial: may(finiteLimit), min: may(finiteLimit), max: may(finiteLimit) };
  addOptions('throws', Limit.name, bounds, (value) => new Limit(value));
  const fed = () => ({ subject: new Limit({ initial: 7 }), free: () => true });
  const feed = (name: string) => (subject: core.LimitAlgorithm, value: never) =>
    subject.onSample({ ...sample, [name]: value });
  add('throws', `${Limit.name}.onSample`, fed, {
    sample: [object, (subject, value) => subject.onSample(value)],
    nowMs: [Number.isFinite, feed('nowMs')],
    durationMs: [finite, feed('durationMs')],
    held: [limit, feed('held')],
    limit: [limit, feed('limit')],
    outcome: [oneOf('success', 'overload'), feed('outcome')],
  });
}
addOptions(
  'throws',
  'littlesLaw',
  {
    items: finite,
    durationMs: finite,
    withinMs: (value) => duration(value) && (value as number) > 0,
    min: may(limit),
    max: may(limit),
  },
  core.littlesLaw,
  { items: 10, durationMs: 10, withinMs: 10 },
);
add('throws', 'classifyOutcome', onNothing, { result: [object, (_, value) => core.classifyOutcome(value)] });

const factor = may((value) => finite(value) && (value as number) >= 1);
const delays = { initialMs: may(finite), maxMs: may(finite) };
const jitter = may(oneOf('none', 'equal', 'full'));
addOptions('throws', 'exponential', { ...delays, factor, jitter }, core.exponential);
addOptions('throws', 'decorrelated', delays, core.decorrelated);
add('throws', 'constant', onNothing, { delayMs: [finite, (_, value) => core.constant(value)] });
addOptions(
  'throws',
  'RetryBudget',
  { ratio: may(finite), minPerSecond: may(finite) },
  (value) => new core.RetryBudget(value),
);
