/**
 * Time that passes only on command. It replaces the globals that src/runtime/clock.ts reads, so the package needs no hook for
 * it. Between two timers, all microtasks that are due run.
 */
import { vi } from 'vitest';

interface ManualTimer {
  readonly fire: () => void;
  readonly dueMs: number;
  readonly order: number;
  background: boolean;
}

const realSetImmediate = setImmediate;

/** Lets every microtask pass that is due. */
export function settled(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}

export class ManualTime {
  nowMs = 1_000;
  #order = 0;
  readonly #timers = new Map<object, ManualTimer>();

  install(): void {
    vi.stubGlobal('setTimeout', (fire: () => void, delayMs = 0) => {
      const timer: ManualTimer = {
        fire,
        dueMs: this.nowMs + delayMs,
        order: this.#order++,
        background: false,
      };
      const handle = {
        unref: () => {
          timer.background = true;
          return handle;
        },
      };
      this.#timers.set(handle, timer);
      return handle;
    });
    vi.stubGlobal('clearTimeout', (handle: object) => this.#timers.delete(handle));
    vi.stubGlobal('performance', { now: () => this.nowMs });
  }

  uninstall(): void {
    vi.unstubAllGlobals();
  }

  /** Timers that are armed; those that keep the process alive, or all. */
  get foreground(): number {
    return [...this.#timers.values()].filter(({ background }) => !background).length;
  }

  get armed(): number {
    return this.#timers.size;
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, delayMs));
  }

  /** Lets `forMs` pass, timer by timer, in the order in which they are due. */
  async advance(forMs: number): Promise<void> {
    const untilMs = this.nowMs + forMs;
    await settled();
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      const [handle, timer] = next;
      this.#timers.delete(handle);
      this.nowMs = Math.max(this.nowMs, timer.dueMs);
      timer.fire();
      await settled();
    }
    this.nowMs = untilMs;
  }

  /** The event loop is blocked: time passes, and the timers that become due fire late. */
  stall(forMs: number): void {
    this.nowMs += forMs;
  }

  #next(untilMs: number): [object, ManualTimer] | undefined {
    let first: [object, ManualTimer] | undefined;
    for (const entry of this.#timers) {
      const [, { dueMs, order }] = entry;
      if (dueMs > untilMs) continue;
      if (
        first === undefined ||
        dueMs < first[1].dueMs ||
        (dueMs === first[1].dueMs && order < first[1].order)
      ) {
        first = entry;
      }
    }
    return first;
  }
}
