/**
 * "We pass on every request. When the backend slows down, 4,000 of ours are open there, and it does not recover."
 *
 * An interceptor for undici: all calls to an origin share a limit that finds itself, those of `fetch` too. A call that cannot
 * be sent in time fails at once.
 */
import { AdaptiveSemaphore } from 'latchkey';
import { controlledDelay } from 'latchkey/overload';
import type { Dispatcher } from 'undici';

type Handler = Dispatcher.DispatchHandler;
type Dispatch = Dispatcher['dispatch'];

/** For `agent.compose(limited())`. Each agent has limits of its own. */
export function limited(makeLimit = () => new AdaptiveSemaphore({ order: controlledDelay() })) {
  const limits = new Map<string, AdaptiveSemaphore>();
  const limitOf = (origin: string) => {
    const limit = limits.get(origin) ?? makeLimit();
    limits.set(origin, limit);
    return limit;
  };
  return (dispatch: Dispatch): Dispatch =>
    (options, handler) => {
      const call = new Call(handler);
      const { signal } = options as { signal?: unknown };
      limitOf(String(options.origin))
        .run(() => call.send((sent) => dispatch(options, sent)), {
          signal: signal instanceof AbortSignal ? signal : undefined,
        })
        .catch((error) => handler.onResponseError?.(call.controller, error));
      return true;
    };
}

class Call {
  readonly #handler: Handler;
  /** A call that was never sent has none. */
  controller = null as unknown as Dispatcher.DispatchController;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  /** Settles as the call ends, with the status: the limit learns from both. */
  send(dispatch: (handler: Handler) => void): Promise<unknown> {
    const handler = this.#handler;
    return new Promise((resolve, reject) => {
      let statusCode = 0;
      dispatch({
        onRequestStart: (controller, context) => {
          this.controller = controller;
          handler.onRequestStart?.(controller, context);
        },
        onRequestUpgrade: (...args) => {
          resolve({});
          handler.onRequestUpgrade?.(...args);
        },
        onResponseStart: (controller, status, headers, message) => {
          statusCode = status;
          handler.onResponseStart?.(controller, status, headers, message);
        },
        onResponseData: (controller, chunk) => handler.onResponseData?.(controller, chunk),
        onResponseEnd: (controller, trailers) => {
          resolve({ statusCode, headers: {} });
          handler.onResponseEnd?.(controller, trailers);
        },
        onResponseError: (_controller, error) => reject(error),
      });
    });
  }
}
