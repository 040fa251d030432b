import { setTimer } from '../clock.js';
import { AttemptTimeoutError } from '../errors.js';

/** Settles as `answer` does, or rejects with `AttemptTimeoutError`: a database that says nothing must not hold up anybody. */
export function answerWithin<T>(limitMs: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimer(() => reject(new AttemptTimeoutError(1, limitMs)), limitMs);
    answer.then(resolve, reject).finally(() => timer.cancel());
  });
}
