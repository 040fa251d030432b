/**
 * "The partner allows 50 requests a second. We send 200, get 429 for most, send those again, and are banned."
 *
 * `Retry-After` is obeyed, by all calls at once: what one is told holds for everybody who waits. Retries stay a tenth of the
 * calls, and the limit on calls at once finds itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AdaptiveSemaphore, AimdLimit, RetryBudget, retry } from 'latchkey';

class HttpError extends Error {
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(response: Response) {
    super(`status ${response.status}`);
    this.status = response.status;
    // Seconds, or a date.
    const told = response.headers.get('retry-after') || 'nothing';
    const waitMs = Number.isNaN(Number(told)) ? Date.parse(told) - Date.now() : Number(told) * 1_000;
    this.retryAfterMs = Number.isNaN(waitMs) ? undefined : Math.max(0, waitMs);
  }
}

/** One of these per partner. He refuses rather than slows down, so AIMD finds his limit; up to `max` are refused at a time. */
export function partnerClient(fetchIt: typeof fetch = fetch) {
  const limit = new AdaptiveSemaphore({ algorithm: new AimdLimit({ initial: 10, max: 10 }) });
  const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 5 });
  let quietUntilMs = 0;

  async function request(url: string, signal: AbortSignal): Promise<string> {
    while (Date.now() < quietUntilMs) await sleep(quietUntilMs - Date.now(), undefined, { signal });
    const response = await fetchIt(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) });
    if (response.ok) return response.text();
    // Or its connection would not be free again.
    await response.body?.cancel();
    const error = new HttpError(response);
    quietUntilMs = Math.max(quietUntilMs, Date.now() + (error.retryAfterMs ?? 0));
    throw error;
  }

  return (url: string, signal?: AbortSignal): Promise<string> =>
    // The limit inside of the retry: who comes again stands in line again.
    retry((context) => limit.run(() => request(url, context.signal), context), {
      attempts: 4,
      budget,
      signal,
      shouldRetry: (error) => !(error instanceof HttpError) || error.status === 429 || error.status >= 500,
      retryAfterMs: (error) => (error instanceof HttpError ? error.retryAfterMs : undefined),
    });
}
