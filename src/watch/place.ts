/** Where in the program something happened: the first frame of a stack that is not the package's own. */

interface StackTracing {
  stackTraceLimit?: number;
  captureStackTrace?(target: object): void;
}

/** Enough frames to reach the caller outside the package. Each frame costs a third of a microsecond. */
const frameLimit = 12;

const ownFolder = new URL('..', import.meta.url).href;
const ownPath = ownFolder.replace(/^file:\/\//, '');

/** Remembers the current stack. It is turned into text only when it is read. */
export class Trace {
  /** Set by `captureStackTrace`. */
  declare readonly stack?: string;

  constructor() {
    const tracing = Error as StackTracing;
    const limit = tracing.stackTraceLimit;
    tracing.stackTraceLimit = frameLimit;
    tracing.captureStackTrace?.(this);
    if (limit !== undefined) tracing.stackTraceLimit = limit;
  }

  /**
   * Makes the text now. Until then V8 keeps the objects of every frame alive, for instance a permit in its constructor.
   */
  settle(): void {
    void this.stack;
  }

  /** The frames of the program, without those of the package. */
  get frames(): string[] {
    const lines = (this.stack ?? '').split('\n').slice(1);
    const all = lines.filter((frame) => /:\d+:\d+\)?$/.test(frame) && !frame.includes('node:'));
    const outside = all.filter((frame) => !frame.includes(ownPath));
    // In a bundle everything is in one file, so the package's frames cannot be recognized.
    return (outside.length > 0 ? outside : all).map((frame) => frame.trim().replace(/^at /, ''));
  }

  /** For instance `transfer.ts:12:5`. */
  get place(): string {
    const [frame = 'an unknown place'] = this.frames;
    return frame.replace(/^.*\((.*)\)$/, '$1').replace(/^(?:async )?(?:.*[/\\])?([^/\\]+)$/, '$1');
  }
}
