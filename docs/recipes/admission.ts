/**
 * "At one and a half times the load it can bear, our server answers nobody: each answer comes after its client has left."
 *
 * A request waits for a moment at the most. What cannot be served in time is refused at once with 503 and `Retry-After`. Tenants
 * share the server fairly, and how many requests run at once finds itself.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AdaptivePermit, AdaptiveSemaphore, type AdaptiveSemaphoreOptions } from 'latchkey';
import { monitorEventLoop } from 'latchkey/event-loop';
import { controlledDelay, fairShare } from 'latchkey/overload';
import { requestSignal } from './request-signal.js';

export interface AdmissionOptions extends Pick<AdaptiveSemaphoreOptions, 'algorithm'> {
  /** The share of a tenant; only ratios count. */
  share?: (tenant: unknown) => number;
  /** How long a request may wait while there are too many, 5 by default. Most of your clients' patience also answers bursts. */
  targetMs?: number;
  /** Requests that come while the event loop is that late are refused. */
  maxLagMs?: number;
}

/** Why a request was refused, as `QueueFullError` is: `retryAfterMs` says when to come again. */
class EventLoopLate extends Error {
  readonly retryAfterMs = 1_000;
}

/** One of these per server. Each call waits for a permit of its own; it rejects if the request is refused or its client left. */
export function admission({ share, targetMs, maxLagMs = 100, algorithm }: AdmissionOptions = {}) {
  const order = fairShare({ share, within: controlledDelay({ targetMs }) });
  const limit = new AdaptiveSemaphore({ algorithm, order });
  let lateUntilMs = 0;
  monitorEventLoop({
    thresholdMs: maxLagMs,
    // If other processes took the processor, fewer requests would not help.
    onBlock: ({ blockedMs, cause }) => {
      if (cause !== 'waiting') lateUntilMs = performance.now() + blockedMs;
    },
  });
  return async (tenant: unknown, signal: AbortSignal): Promise<AdaptivePermit> => {
    if (performance.now() < lateUntilMs) throw new EventLoopLate('the event loop is late');
    return limit.acquire({ partition: tenant, signal });
  };
}

export type Admit = ReturnType<typeof admission>;

/** For `Retry-After`, in seconds. Spread, so that clients that were refused together do not come back together. */
export function retryAfterSeconds(error: unknown): number | undefined {
  const { retryAfterMs } = error as { retryAfterMs?: number };
  return retryAfterMs && Math.ceil((retryAfterMs / 1_000) * (1 + 2 * Math.random()));
}

/** For node:http. The permit is held until the answer is complete or its client has left. False: it is answered already. */
export async function admitted(
  admit: Admit,
  tenant: unknown,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const signal = requestSignal(request, response);
  try {
    const permit = await admit(tenant, signal);
    response.once('finish', () => permit.release(response.statusCode === 503 ? 'overload' : 'success'));
    signal.addEventListener('abort', () => permit.release('ignore'));
    return true;
  } catch (error) {
    const seconds = retryAfterSeconds(error);
    if (seconds !== undefined) response.writeHead(503, { 'retry-after': String(seconds) });
    response.end();
    return false;
  }
}
