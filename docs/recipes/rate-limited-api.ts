/**
 * "The partner allows 50 requests a second. We send 200, get 429 for most, send those again, and are banned."
 *
 * Naive: retry at once, three times: four times the load on somebody who has just said that it is too much. Here the
 * server's `Retry-After` is obeyed, retries stay a tenth of the calls, and the limit on calls at once finds itself.
 */
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

/** A partner who refuses rather than slows down: AIMD finds his limit. One of these per partner. */
export function partnerClient(fetchIt: typeof fetch = fetch) {
  const limit = new AdaptiveSemaphore({ algorithm: new AimdLimit({ initial: 10, max: 100 }) });
  const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 5 });
  return (url: string, signal?: AbortSignal): Promise<string> =>
    retry(
      async (context) => {
        // Inside of the retry: who pauses holds no permit.
        const response = await limit.run(() => fetchIt(url, { signal: context.signal }), context);
        if (!response.ok) throw new HttpError(response);
        return response.text();
      },
      {
        attempts: 4,
        attemptTimeoutMs: 5_000,
        budget,
        signal,
        shouldRetry: (error) => !(error instanceof HttpError) || error.status === 429 || error.status >= 500,
        retryAfterMs: (error) => (error instanceof HttpError ? error.retryAfterMs : undefined),
      },
    );
}
