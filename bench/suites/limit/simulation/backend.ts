/** The backends that a limit protects: the two shapes of saturation, and the ways in which a backend refuses calls. */
import { Heap } from './heap.js';
import { Line } from './line.js';
import type { Planned, Timeline } from './timeline.js';

export interface Backend {
  /** `done` receives whether the call succeeded. */
  submit(done: (succeeded: boolean) => void): void;
}

export interface FarmOptions {
  servers: number;
  /** Service time of the next call, in milliseconds. */
  serviceMs: () => number;
  /** Time on the way, which takes none of the capacity. */
  networkMs?: () => number;
  /** With more than this waiting, a call is refused after `refuseMs`. */
  queueMax?: number;
  refuseMs?: number;
}

/** A number of servers with one queue. More calls than servers only wait. */
export class ServerFarm implements Backend {
  readonly #timeline: Timeline;
  readonly #options: FarmOptions;
  readonly #line = new Line<(succeeded: boolean) => void>();
  #servers: number;
  #busy = 0;

  constructor(timeline: Timeline, options: FarmOptions) {
    this.#timeline = timeline;
    this.#options = options;
    this.#servers = options.servers;
  }

  get servers(): number {
    return this.#servers;
  }

  /** Calls that are being served finish. */
  set servers(servers: number) {
    this.#servers = servers;
    this.#serveLine();
  }

  submit(done: (succeeded: boolean) => void): void {
    const networkMs = this.#options.networkMs?.() ?? 0;
    if (networkMs > 0) this.#timeline.after(networkMs, () => this.#arrive(done));
    else this.#arrive(done);
  }

  #arrive(done: (succeeded: boolean) => void): void {
    const { queueMax = Infinity, refuseMs = 1 } = this.#options;
    if (this.#busy < this.#servers) this.#serve(done);
    else if (this.#line.length < queueMax) this.#line.push(done);
    else this.#timeline.after(refuseMs, () => done(false));
  }

  #serve(done: (succeeded: boolean) => void): void {
    this.#busy++;
    this.#timeline.after(this.#options.serviceMs(), () => {
      this.#busy--;
      this.#serveLine();
      done(true);
    });
  }

  #serveLine(): void {
    while (this.#busy < this.#servers && this.#line.length > 0) this.#serve(this.#line.shift()!);
  }
}

export interface SharedProcessorOptions {
  workMs: () => number;
  contention: number;
  coherency: number;
}

/**
 * All calls at once on one processor, each at 1 / (1 + contention (n-1) + coherency n (n-1)) of its speed: Gunther's
 * Universal Scalability Law. More calls than its peak bring less goodput.
 */
export class SharedProcessor implements Backend {
  readonly #timeline: Timeline;
  readonly #options: SharedProcessorOptions;
  /** By the work that must be done, in total per call, until a call ends. */
  readonly #calls = new Heap<{ endsAt: number; done: (succeeded: boolean) => void }>(
    (one, other) => one.endsAt < other.endsAt,
  );
  #workDone = 0;
  #lastMs = 0;
  #nextEnd: Planned | undefined;

  constructor(timeline: Timeline, options: SharedProcessorOptions) {
    this.#timeline = timeline;
    this.#options = options;
  }

  submit(done: (succeeded: boolean) => void): void {
    this.#advance();
    this.#calls.push({ endsAt: this.#workDone + this.#options.workMs(), done });
    this.#planNextEnd();
  }

  get #speed(): number {
    const n = this.#calls.size;
    const { contention, coherency } = this.#options;
    return 1 / (1 + contention * (n - 1) + coherency * n * (n - 1));
  }

  #advance(): void {
    if (this.#calls.size > 0) this.#workDone += this.#speed * (this.#timeline.nowMs - this.#lastMs);
    this.#lastMs = this.#timeline.nowMs;
  }

  #planNextEnd(): void {
    if (this.#nextEnd !== undefined) this.#nextEnd.cancelled = true;
    const { first } = this.#calls;
    if (first === undefined) return;
    const delayMs = Math.max(0, (first.endsAt - this.#workDone) / this.#speed);
    this.#nextEnd = this.#timeline.after(delayMs, () => {
      this.#advance();
      this.#calls.dropFirst();
      this.#nextEnd = undefined;
      this.#planNextEnd();
      first.done(true);
    });
  }
}

/** Refuses everything while it is out, after `refuseMs`. */
export function withOutage(
  timeline: Timeline,
  backend: Backend,
  { isOut, refuseMs = 1 }: { isOut: () => boolean; refuseMs?: number },
): Backend {
  return {
    submit(done) {
      if (isOut()) timeline.after(refuseMs, () => done(false));
      else backend.submit(done);
    },
  };
}

/** Answers nothing between two times. Calls that end meanwhile are answered when the hang is over, or never. */
export function withHang(
  timeline: Timeline,
  backend: Backend,
  { fromMs, untilMs, losesCalls = false }: { fromMs: number; untilMs: number; losesCalls?: boolean },
): Backend {
  return {
    submit(done) {
      backend.submit((succeeded) => {
        const { nowMs } = timeline;
        if (nowMs < fromMs || nowMs >= untilMs) done(succeeded);
        else if (!losesCalls) timeline.at(untilMs, () => done(succeeded));
      });
    },
  };
}

/** At most `quota` calls at once; one more is refused, whatever the backend could do. */
export function withQuota(
  timeline: Timeline,
  backend: Backend,
  { quota, refuseMs }: { quota: number | (() => number); refuseMs: number },
): Backend {
  let running = 0;
  return {
    submit(done) {
      if (running >= (typeof quota === 'number' ? quota : quota())) {
        timeline.after(refuseMs, () => done(false));
        return;
      }
      running++;
      backend.submit((succeeded) => {
        running--;
        done(succeeded);
      });
    },
  };
}

/** A share of the calls fails after `failMs`, whatever the backend could do. */
export function withFailures(
  timeline: Timeline,
  backend: Backend,
  { share, failMs }: { share: () => number; failMs: number },
): Backend {
  return {
    submit(done) {
      if (timeline.random.uniform() < share()) timeline.after(failMs, () => done(false));
      else backend.submit(done);
    },
  };
}

/** Answers nothing for the first `pauseMs` of every `everyMs`; calls that end meanwhile are answered at its end. */
export function withPauses(
  timeline: Timeline,
  backend: Backend,
  { everyMs, pauseMs }: { everyMs: number; pauseMs: number },
): Backend {
  return {
    submit(done) {
      backend.submit((succeeded) => {
        const inMs = timeline.nowMs % everyMs;
        if (inMs >= pauseMs) done(succeeded);
        else timeline.after(pauseMs - inMs, () => done(succeeded));
      });
    },
  };
}

/** A token bucket: a call that finds no token is refused after `refuseMs`. */
export function withRate(
  timeline: Timeline,
  backend: Backend,
  { perSecond, burst, refuseMs }: { perSecond: number; burst: number; refuseMs: number },
): Backend {
  let tokens = burst;
  let lastMs = 0;
  return {
    submit(done) {
      const { nowMs } = timeline;
      tokens = Math.min(burst, tokens + ((nowMs - lastMs) / 1_000) * perSecond);
      lastMs = nowMs;
      if (tokens < 1) {
        timeline.after(refuseMs, () => done(false));
        return;
      }
      tokens--;
      backend.submit(done);
    },
  };
}

/** A quota of a fixed window: of the calls of each `windowMs`, those beyond `calls` are refused after `refuseMs`. */
export function withWindow(
  timeline: Timeline,
  backend: Backend,
  { calls, windowMs, refuseMs }: { calls: number; windowMs: number; refuseMs: number },
): Backend {
  let [window, used] = [0, 0];
  return {
    submit(done) {
      const now = Math.floor(timeline.nowMs / windowMs);
      if (now > window) [window, used] = [now, 0];
      if (used === calls) timeline.after(refuseMs, () => done(false));
      else {
        used++;
        backend.submit(done);
      }
    },
  };
}
