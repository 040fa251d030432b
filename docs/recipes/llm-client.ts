/**
 * "The model allows 100,000 tokens a minute. We send a thousand prompts, most get 429, and all of them are sent again."
 *
 * A call takes as many tokens of the quota as it may use at the most, and gives back what it did not use as soon as it is
 * answered. One `Retry-After` holds every call back, and how many calls run at once finds itself.
 */
import { AdaptiveSemaphore, AimdLimit, RetryBudget, retry, Semaphore } from 'latchkey';

export interface Answer {
  text: string;
  usage: { total_tokens: number };
}

export interface Prompt {
  text: string;
  /** The longest answer, as it is sent to the model. */
  maxTokens: number;
}

export interface LlmOptions {
  tokensPerWindow: number;
  windowMs?: number;
}

class LlmError extends Error {
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor({ status, headers }: Response) {
    super(`status ${status}`);
    this.status = status;
    const seconds = Number(headers.get('retry-after') ?? Number.NaN);
    this.retryAfterMs = seconds >= 0 ? 1_000 * seconds : undefined;
  }
}

const maxRetryAfterMs = 60_000;

/** One of these per model and account. `post` sends a prompt, with the model's name and key. */
export function llmClient(
  post: (prompt: Prompt, signal: AbortSignal) => Promise<Response>,
  { tokensPerWindow, windowMs = 60_000 }: LlmOptions,
) {
  const quota = new Semaphore(tokensPerWindow);
  const calls = new AdaptiveSemaphore({ algorithm: new AimdLimit({ initial: 8, max: 64 }) });
  const budget = new RetryBudget({ ratio: 0.1, minPerSecond: 1 });

  async function send(prompt: Prompt, signal: AbortSignal): Promise<Answer> {
    const response = await post(prompt, signal);
    if (response.ok) return response.json() as Promise<Answer>;
    await response.body?.cancel();
    const error = new LlmError(response);
    calls.pauseFor(Math.min(error.retryAfterMs ?? 0, maxRetryAfterMs));
    throw error;
  }

  async function attempt(prompt: Prompt, signal: AbortSignal): Promise<Answer> {
    // Four characters are a token, roughly. Three are on the safe side.
    const most = Math.ceil(prompt.text.length / 3) + prompt.maxTokens;
    const tokens = await quota.acquire({ weight: most, signal });
    let used = 0;
    try {
      const answer = await calls.run(() => send(prompt, signal), { signal });
      used = answer.usage.total_tokens;
      return answer;
    } finally {
      const unused = Math.max(0, most - used);
      quota.limit += unused;
      // What was used counts for a whole window.
      setTimeout(() => {
        quota.limit -= unused;
        tokens.release();
      }, windowMs);
    }
  }

  return (prompt: Prompt, signal?: AbortSignal): Promise<Answer> =>
    retry((context) => attempt(prompt, context.signal), {
      attempts: 4,
      budget,
      signal,
      // `fetch` reports a broken network with a TypeError.
      shouldRetry: (error) =>
        error instanceof LlmError ? error.status === 429 || error.status >= 500 : error instanceof TypeError,
      retryAfterMs: (error) => (error instanceof LlmError ? error.retryAfterMs : undefined),
      maxRetryAfterMs,
    });
}
