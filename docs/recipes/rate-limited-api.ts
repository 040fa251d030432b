/**
 * "The partner allows 50 requests a second. We send 200, get 429 for most, send those again, and are banned."
 *
 * All calls obey `Retry-After` together: one refused call pauses every waiting call. A pause above a minute is not obeyed; that
 * call fails. Retries stay a tenth of the calls, and the limit on concurrent calls finds itself.
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
    const header = response.headers.get('retry-after') || 'none';
    const waitMs = Number.isNaN(Number(header)) ? Date.parse(header) - Date.now() : Number(header) * 1_000;
    this.retryAfterMs = Number.isNaN(waitMs) ? undefined : Math.max(0, waitMs);
  }
}

/** A header can ask for centuries. Above this limit the call fails, and the other calls go on. */
const maxQuietMs = 60_000;

/** One of these per partner. A partner that refuses rather than slows down suits AIMD; up to `max` calls are refused at a time. */
export function partnerClient(fetchIt: typeof fetch = fetch) {
  const limit = new AdaptiveSemaphore({ algorithm: new AimdLimit({ initial: 10, max: 10 }) });
  const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 5 });
  let quietUntilMs = 0;

  async function request(url: string, signal: AbortSignal): Promise<string> {
    while (Date.now() < quietUntilMs) await sleep(quietUntilMs - Date.now(), undefined, { signal });
    const response = await fetchIt(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) });
    if (response.ok) return response.text();
    // An unread body would keep its connection busy.
    await response.body?.cancel();
    const error = new HttpError(response);
    const { retryAfterMs = 0 } = error;
    if (retryAfterMs <= maxQuietMs) quietUntilMs = Math.max(quietUntilMs, Date.now() + retryAfterMs);
    throw error;
  }

  return (url: string, signal?: AbortSignal): Promise<string> =>
    // The limit is inside the retry: every attempt queues again, and a pause holds no permit.
    retry((context) => limit.run(() => request(url, context.signal), context), {
      attempts: 4,
      budget,
      signal,
      shouldRetry: (error) => !(error instanceof HttpError) || error.status === 429 || error.status >= 500,
      retryAfterMs: (error) => (error instanceof HttpError ? error.retryAfterMs : undefined),
      maxRetryAfterMs: maxQuietMs,
    });
}
