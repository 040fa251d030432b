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

/** A contender, or any other fixed limit, such as `fixed 2`. */
export function limitNamed(name: string): LimitAlgorithm {
  const [, size] = /^fixed (\d+)$/.exec(name) ?? [];
  return size === undefined ? contenders[name as Contender]() : fixed(Number(size));
}

export function semaphoreOf(algorithm: LimitAlgorithm): AdaptiveSemaphore {
  return new AdaptiveSemaphore({ algorithm });
}
