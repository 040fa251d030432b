import { AimdLimit, ElasticLimit, VegasLimit } from 'latchkey';
import type { MakeLaw } from '../simulation/simulate.js';
import { BrpcAuto } from './brpc-auto.js';
import { EnvoyGradient } from './envoy-gradient.js';
import { Failsafe } from './failsafe.js';
import { fixed, oracle, tooLow } from './fixed.js';
import { Gradient2 } from './gradient2.js';
import { operationsFormula } from './operations-formula.js';
import { VectorArc } from './vector-arc.js';
import { VegasPerCall } from './vegas-per-call.js';

/** The one that all are measured by. */
export const oracleName = 'oracle';
export const ourName = 'elastic';
/** Ours, if it starts at the best limit. Only on demand, because no program knows that. */
export const wellBegunName = 'elastic well begun';

/** Re-implemented from what is published of them, within the limits 1 and 1,000; `vegas` and `aimd` are ours. */
export const laws: Readonly<Record<string, MakeLaw>> = {
  [oracleName]: oracle,
  'too low': tooLow,
  'fixed 200': fixed(200),
  formula: operationsFormula,
  aimd: () => new AimdLimit(),
  'vegas 1': (context) => new VegasPerCall(context),
  vegas: () => new VegasLimit(),
  gradient2: () => new Gradient2(),
  envoy: (context) => new EnvoyGradient(context),
  failsafe: () => new Failsafe(),
  arc: () => new VectorArc(),
  brpc: (context) => new BrpcAuto(context),
  [ourName]: () => new ElasticLimit(),
  [wellBegunName]: ({ scenario, client }) => new ElasticLimit({ initial: scenario.oracle(0, client) }),
};
