/** The stack of the call that waits, taken when the wait begins: when it ends badly, that call is long gone. */

export interface CallerTrace {
  readonly stack?: string;
}

interface StackTracing {
  captureStackTrace?(target: object, above: unknown): void;
}

/** Takes the stack above the function `above`. About a microsecond; the text is made only if it is read. */
export function callerTrace(above: unknown): CallerTrace {
  const { captureStackTrace } = Error as StackTracing;
  if (captureStackTrace === undefined) return new Error();
  const trace = {};
  captureStackTrace(trace, above);
  return trace;
}

/** Lets `error` tell where its caller waited. */
export function withTrace<E extends Error>(error: E, trace: CallerTrace | undefined): E {
  const frames = trace?.stack?.split('\n').slice(1);
  if (frames !== undefined) error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
  return error;
}
