import { getEventListeners } from 'node:events';
import type { WaitOptions } from 'latchkey';
import { vi } from 'vitest';
import type { Move } from '../explore.js';

/** How a user waits. */
export interface Manners {
  readonly mayAbort?: boolean;
  readonly patienceMs?: number;
}

/** A user that asks for something, once. */
export class Party<T> {
  readonly name: string;
  /** Users with the same manners are interchangeable. */
  readonly manners: Manners;
  readonly controller = new AbortController();
  /** The state of its request: 'away', 'waiting', 'granted', or the error's code or text. */
  observed = 'away';
  /** Its grant; the world removes it when the user releases. */
  got: T | undefined;
  #settlements = 0;

  constructor(name: string, manners: Manners) {
    this.name = name;
    this.manners = manners;
  }

  ask(call: (options: WaitOptions) => Promise<T>, patienceMs = this.manners.patienceMs): void {
    this.observed = 'waiting';
    const { signal } = this.controller;
    call({
      ...(this.manners.mayAbort && { signal }),
      ...(patienceMs !== undefined && { waitTimeoutMs: patienceMs }),
    }).then(
      (value) => {
        this.#settlements++;
        this.got = value;
        this.observed = 'granted';
      },
      (reason: unknown) => {
        this.#settlements++;
        this.observed = outcomeOf(reason);
      },
    );
  }

  /** It may give up while it waits, and too late. */
  abortMoves(then = () => {}): Move[] {
    const { manners, controller, observed } = this;
    const may =
      manners.mayAbort && !controller.signal.aborted && (observed === 'waiting' || this.got !== undefined);
    const abort = () => {
      controller.abort('aborted');
      then();
    };
    return may ? [[`${this.name} aborts`, abort]] : [];
  }

  leftovers(): string[] {
    const left: string[] = [];
    if (this.observed === 'waiting') left.push(`${this.name} waits for ever`);
    if (this.#settlements > 1) left.push(`${this.name} was answered ${this.#settlements} times`);
    if (getEventListeners(this.controller.signal, 'abort').length > 0)
      left.push(`a listener of ${this.name} was left`);
    return left;
  }
}

/** The users that are away; of interchangeable ones only the first, because it makes no difference which of them comes. */
export function newcomers<P extends Party<unknown>>(parties: readonly P[]): P[] {
  const kinds = new Set<string>();
  return parties.filter(({ observed, manners }) => {
    const kind = JSON.stringify(manners);
    return observed === 'away' && !kinds.has(kind) && kinds.add(kind);
  });
}

/** Whether it waits with a timeout. A timer that no user waits for stays, so that it is noticed at the end. */
export function isPatient({ observed, manners }: Party<unknown>): boolean {
  return observed === 'waiting' && manners.patienceMs !== undefined;
}

export function outcomeOf(reason: unknown): string {
  return reason instanceof Error ? ((reason as { code?: string }).code ?? reason.name) : String(reason);
}

/** Time passes until the next timer fires. */
export function timeMoves(then = () => {}): Move[] {
  const pass = () => {
    vi.advanceTimersToNextTimer();
    then();
  };
  return vi.getTimerCount() > 0 ? [['time passes', pass, 'timer']] : [];
}

export function leftTimers(): string[] {
  const count = vi.getTimerCount();
  return count === 0 ? [] : [`${count} timers were left`];
}

/** Faults that may happen only a limited number of times. */
export class Budget<Mishap extends string> {
  readonly #left: Map<Mishap, number>;
  isSpent = false;

  constructor(left: Readonly<Partial<Record<Mishap, number | undefined>>>, mishaps: readonly Mishap[]) {
    this.#left = new Map(mishaps.map((mishap) => [mishap, left[mishap] ?? 0]));
  }

  moves(mishap: Mishap, [name, happen, kind]: Move): Move[] {
    const left = this.#left.get(mishap) ?? 0;
    const spend = () => {
      this.#left.set(mishap, left - 1);
      this.isSpent = true;
      happen();
    };
    return left === 0 ? [] : [[name, spend, kind]];
  }
}
