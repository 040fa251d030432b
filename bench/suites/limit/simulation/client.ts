/** A process that calls the backend under an adaptive limit: the load, the limit and the notes that are taken. */
import type { LimitAlgorithm } from 'latchkey';
import type { Backend } from './backend.js';
import { Line } from './line.js';
import type { Timeline } from './timeline.js';

/** Closed: a number of workers that call again at once. */
export interface ClosedLoad {
  readonly kind: 'closed';
  readonly workers: number | ((seconds: number) => number);
}

/** Open: random arrivals at a fixed rate. */
export interface OpenLoad {
  readonly kind: 'open';
  readonly perSecond: (seconds: number) => number;
  /** A caller that waits longer for the limit leaves. */
  readonly maxWaitMs: number;
  /** An answer that comes later than this after its call arrived is of no use. */
  readonly deadlineMs?: number;
}

export type Load = ClosedLoad | OpenLoad;

/** A law with a schedule wants to be called at certain times. */
export interface Law extends LimitAlgorithm {
  tick?(nowMs: number): void;
}

export interface Moment {
  readonly atMs: number;
  readonly limit: number;
  readonly phase?: string | number | undefined;
}

export interface Notes {
  /** Of every success: when it ended and how long it took in the backend, in milliseconds. */
  readonly endedMs: number[];
  readonly durationMs: number[];
  readonly overloadMs: number[];
  /** Of every success that came after its deadline: when it ended. */
  readonly lateMs: number[];
  /** Callers that waited too long for the limit. */
  shed: number;
  /** The limit, every 25 ms, and the phase of a law that has phases. */
  readonly limits: Moment[];
}

export interface ClientOptions {
  load: Load;
  law: Law;
  startMs: number;
  /** Its wall clock is ahead by this. */
  clockSkewMs: number;
  /** The client gives up after this; the backend goes on. */
  timeoutMs?: number | undefined;
}

const noteEveryMs = 25;

export class Client {
  readonly notes: Notes = { endedMs: [], durationMs: [], overloadMs: [], lateMs: [], shed: 0, limits: [] };
  readonly #timeline: Timeline;
  readonly #backend: Backend;
  readonly #options: ClientOptions;
  /** When each call that waits for the limit arrived. */
  readonly #waiting = new Line<number>();
  #held = 0;

  constructor(timeline: Timeline, backend: Backend, options: ClientOptions) {
    this.#timeline = timeline;
    this.#backend = backend;
    this.#options = options;
    timeline.at(options.startMs, () => this.#begin());
  }

  #begin(): void {
    const { load } = this.#options;
    if (load.kind === 'closed') this.#fill();
    else this.#arrive();
    const note = () => {
      const { law } = this.#options;
      const atMs = this.#timeline.nowMs;
      this.notes.limits.push({ atMs, limit: law.limit, phase: law.snapshot?.()['phase'] });
      law.tick?.(atMs);
      this.#fill();
      this.#timeline.after(noteEveryMs, note);
    };
    this.#timeline.after(noteEveryMs, note);
  }

  #arrive(): void {
    const { load } = this.#options;
    if (load.kind !== 'open') return;
    const perSecond = load.perSecond(this.#timeline.nowMs / 1_000);
    if (perSecond === 0) {
      this.#timeline.after(5, () => this.#arrive());
      return;
    }
    this.#timeline.after(this.#timeline.random.exponential(1_000 / perSecond), () => {
      this.#waiting.push(this.#timeline.nowMs);
      this.#fill();
      this.#arrive();
    });
  }

  #fill(): void {
    const { load, law } = this.#options;
    const { nowMs } = this.#timeline;
    if (load.kind === 'closed') {
      const workers = typeof load.workers === 'number' ? load.workers : load.workers(nowMs / 1_000);
      while (this.#held < Math.min(law.limit, workers)) this.#call(nowMs);
      return;
    }
    for (let arrivedMs = this.#waiting.head; arrivedMs !== undefined; arrivedMs = this.#waiting.head) {
      const isLate = nowMs - arrivedMs > load.maxWaitMs;
      if (!isLate && this.#held >= law.limit) return;
      this.#waiting.shift();
      if (isLate) this.notes.shed++;
      else this.#call(arrivedMs);
    }
  }

  #call(arrivedMs: number): void {
    const { law, load, timeoutMs, clockSkewMs } = this.#options;
    const deadlineMs = arrivedMs + ((load.kind === 'open' ? load.deadlineMs : undefined) ?? Infinity);
    const grantedMs = this.#timeline.nowMs;
    const held = ++this.#held;
    const limit = law.limit;
    let ended = false;
    const end = (succeeded: boolean) => {
      if (ended) return;
      ended = true;
      if (timer !== undefined) timer.cancelled = true;
      this.#held--;
      const { nowMs } = this.#timeline;
      const durationMs = nowMs - grantedMs;
      if (succeeded) {
        this.notes.endedMs.push(nowMs);
        this.notes.durationMs.push(durationMs);
        if (nowMs > deadlineMs) this.notes.lateMs.push(nowMs);
      } else this.notes.overloadMs.push(nowMs);
      const outcome = succeeded ? 'success' : 'overload';
      law.onSample({ nowMs: nowMs + clockSkewMs, durationMs, held, limit, outcome });
      this.#fill();
    };
    const timer = timeoutMs === undefined ? undefined : this.#timeline.after(timeoutMs, () => end(false));
    this.#backend.submit(end);
  }
}
