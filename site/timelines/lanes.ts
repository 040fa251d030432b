/** What happened to whom, and when: lanes of spans and lines of numbers, recorded while a program runs. */

export type State = 'waiting' | 'connecting' | 'using' | 'late';
export type Outcome = 'served' | 'failed' | 'late' | 'refused' | 'stuck';

export interface Span {
  readonly state: State;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Lane {
  readonly name: string;
  readonly spans: readonly Span[];
  /** `undefined` while it goes on. */
  readonly outcome: Outcome | undefined;
}

/** A number over time: it keeps each value until the next step. */
export interface Line {
  readonly name: string;
  readonly steps: readonly (readonly [ms: number, value: number])[];
}

export interface Timeline {
  readonly title: string;
  readonly lanes: readonly Lane[];
  readonly lines: readonly Line[];
  /** When the last lane so far was served. */
  readonly servedMs: number;
  /** When it ended; until then, now. */
  readonly endMs: number;
}

interface OpenLane {
  readonly spans: Span[];
  state: State;
  sinceMs: number;
  outcome: Outcome | undefined;
}

export class Recorder {
  readonly title: string;
  readonly #lanes = new Map<string, OpenLane>();
  readonly #lines = new Map<string, [ms: number, value: number][]>();
  readonly #startedMs = performance.now();
  #endMs: number | undefined;

  constructor(title: string) {
    this.title = title;
  }

  has(name: string): boolean {
    return this.#lanes.has(name);
  }

  /** From now on the lane is in this state. The first call begins the lane. */
  enter(name: string, state: State): void {
    const nowMs = this.#nowMs();
    const lane = this.#lanes.get(name);
    if (lane === undefined) {
      this.#lanes.set(name, { spans: [], state, sinceMs: nowMs, outcome: undefined });
      return;
    }
    lane.spans.push({ state: lane.state, fromMs: lane.sinceMs, toMs: nowMs });
    lane.state = state;
    lane.sinceMs = nowMs;
  }

  end(name: string, outcome: Outcome): void {
    const lane = this.#lanes.get(name);
    if (lane === undefined) throw new Error(`the lane ${name} has not begun`);
    lane.spans.push({ state: lane.state, fromMs: lane.sinceMs, toMs: this.#nowMs() });
    lane.outcome = outcome;
  }

  /** From now on the line has this value. After the end nothing is recorded: a pool closes its connections then. */
  step(name: string, value: number): void {
    if (this.#endMs !== undefined) return;
    const steps = this.#lines.get(name);
    const step: [number, number] = [this.#nowMs(), value];
    if (steps === undefined) this.#lines.set(name, [step]);
    else steps.push(step);
  }

  /** The last value of a line. */
  value(name: string): number {
    return this.#lines.get(name)?.at(-1)?.[1] ?? 0;
  }

  /** The largest value of a line. */
  most(name: string): number {
    return Math.max(0, ...(this.#lines.get(name) ?? []).map(([, value]) => value));
  }

  /** The picture grows no more. */
  stop(): void {
    this.#endMs = this.#nowMs();
  }

  /** The lanes and lines so far; those that go on reach to now. */
  timeline(): Timeline {
    const endMs = this.#endMs ?? this.#nowMs();
    const lanes = Array.from(this.#lanes, ([name, { spans, state, sinceMs, outcome }]): Lane => {
      const open = outcome === undefined ? [{ state, fromMs: sinceMs, toMs: endMs }] : [];
      return { name, spans: [...spans, ...open], outcome };
    });
    const lines = Array.from(this.#lines, ([name, steps]): Line => ({ name, steps: [...steps] }));
    const served = lanes.filter(({ outcome }) => outcome === 'served').map(endOf);
    return { title: this.title, lanes, lines, servedMs: Math.max(0, ...served), endMs };
  }

  #nowMs(): number {
    return performance.now() - this.#startedMs;
  }
}

export function endOf({ spans }: Lane): number {
  return spans.at(-1)?.toMs ?? 0;
}

/** How many lanes had this end. */
export function countOf({ lanes }: Timeline, wanted: Outcome): number {
  return lanes.filter(({ outcome }) => outcome === wanted).length;
}
