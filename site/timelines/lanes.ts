/** What happened to whom, and when: lanes of spans, recorded while a program runs. */

export type State = 'waiting' | 'connecting' | 'using';
export type Outcome = 'served' | 'failed';

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

export interface Timeline {
  readonly title: string;
  readonly lanes: readonly Lane[];
  /** When the last lane so far was served. */
  readonly servedMs: number;
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
  readonly #startedMs = performance.now();

  constructor(title: string) {
    this.title = title;
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

  /** The lanes so far; those that go on reach to now. */
  timeline(): Timeline {
    const nowMs = this.#nowMs();
    const lanes = Array.from(this.#lanes, ([name, { spans, state, sinceMs, outcome }]): Lane => {
      const open = outcome === undefined ? [{ state, fromMs: sinceMs, toMs: nowMs }] : [];
      return { name, spans: [...spans, ...open], outcome };
    });
    const served = lanes.filter(({ outcome }) => outcome === 'served').map(endOf);
    return { title: this.title, lanes, servedMs: Math.max(0, ...served) };
  }

  #nowMs(): number {
    return performance.now() - this.#startedMs;
  }
}

export function endOf({ spans }: Lane): number {
  return spans.at(-1)?.toMs ?? 0;
}
