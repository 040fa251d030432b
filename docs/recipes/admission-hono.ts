/** The same for Hono, on every runtime that it runs on: a middleware that needs nothing of Node's server. */
import type { Context, MiddlewareHandler } from 'hono';
import type { AdaptivePermit } from 'latchkey';
import { type Admit, retryAfterSeconds } from './admission.js';

export function admissionOf(admit: Admit, tenantOf: (context: Context) => unknown): MiddlewareHandler {
  return async (context, next) => {
    const { signal } = context.req.raw;
    let permit: AdaptivePermit;
    try {
      permit = await admit(tenantOf(context), signal);
    } catch (error) {
      const seconds = retryAfterSeconds(error);
      if (seconds === undefined) throw error;
      return context.text('busy', 503, { 'retry-after': String(seconds) });
    }
    try {
      return await next();
    } finally {
      permit.release(signal.aborted ? 'ignore' : context.res.status === 503 ? 'overload' : 'success');
    }
  };
}
