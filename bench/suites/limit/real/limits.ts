import { AdaptiveSemaphore, AimdLimit, ElasticLimit, type LimitAlgorithm, VegasLimit } from 'latchkey';

export const fixed = (limit: number): LimitAlgorithm => ({ limit, onSample() {} });

/** What stands in front of the backend. */
export const contenders = {
  'fixed 5': () => fixed(5),
  'fixed 200': () => fixed(200),
  aimd: () => new AimdLimit(),
  vegas: () => new VegasLimit(),
  elastic: () => new ElasticLimit(),
} satisfies Record<string, () => LimitAlgorithm>;

export type Contender = keyof typeof contenders;

export function semaphoreOf(algorithm: LimitAlgorithm): AdaptiveSemaphore {
  return new AdaptiveSemaphore({ algorithm });
}
