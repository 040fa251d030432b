/** Callers of a single flight. Whether a caller began a call or joined one can be seen from outside, so no model is needed. */
import type { SingleFlight } from 'latchkey/single-flight';
import type * as everything from '../everything.js';
import type { Move, World } from '../explore.js';
import { Budget, isPatient, leftTimers, type Manners, newcomers, Party, timeMoves } from './party.js';

export interface FlightPlan {
  readonly callers: readonly (Manners & { readonly key: string })[];
  /** How many calls may fail. */
  readonly failures?: number;
}

type Caller = Party<string> & { readonly key: string; call: Call | undefined };

interface Call {
  readonly name: string;
  readonly key: string;
  readonly signal: AbortSignal;
  outcome: string | undefined;
  /** No microtask is left since its end. */
  isOver: boolean;
  end(outcome: string, isGood: boolean): void;
}

export class FlightWorld implements World {
  readonly #flights: SingleFlight<string, string>;
  readonly #callers: Caller[];
  readonly #calls: Call[] = [];
  readonly #budget: Budget<'failures'>;
  readonly #wrongs: string[] = [];

  constructor({ SingleFlight }: typeof everything, plan: FlightPlan) {
    this.#flights = new SingleFlight();
    this.#callers = plan.callers.map((caller, i) =>
      Object.assign(new Party<string>(`caller ${i}`, caller), { key: caller.key, call: undefined }),
    );
    this.#budget = new Budget(plan, ['failures']);
  }

  moves(): Move[] {
    const asking = newcomers(this.#callers);
    const moves = asking.map(
      (caller): Move => [`${caller.name} asks for ${caller.key}`, () => this.#ask(caller)],
    );
    for (const caller of this.#callers) moves.push(...caller.abortMoves());
    for (const call of this.#calls) {
      if (call.outcome !== undefined) continue;
      moves.push([`${call.name} succeeds`, () => call.end(`value of ${call.name}`, true)]);
      const fail = () => call.end(`error of ${call.name}`, false);
      moves.push(...this.#budget.moves('failures', [`${call.name} fails`, fail]));
    }
    if (this.#callers.some(isPatient)) moves.push(...timeMoves());
    return moves;
  }

  wrongs(): string[] {
    const wrongs = [...this.#wrongs];
    for (const call of this.#calls) {
      const isWanted = this.#callers.some((caller) => caller.call === call && caller.observed === 'waiting');
      if (call.outcome !== undefined) call.isOver = true;
      else if (call.signal.aborted === isWanted) {
        wrongs.push(
          `${call.name} is ${isWanted ? 'aborted, though a caller waits' : 'not aborted, though no caller waits'}`,
        );
      }
      if (call.isOver && isWanted) wrongs.push(`${call.name} has ended, and a caller still waits`);
    }
    const underWay = new Set(this.#calls.filter(isJoinable).map(({ key }) => key));
    for (const { key } of this.#callers) {
      if (this.#flights.has(key) !== underWay.has(key))
        wrongs.push(`has(${key}) is ${this.#flights.has(key)}`);
    }
    if (this.#flights.size !== underWay.size)
      wrongs.push(`its size is ${this.#flights.size}, not ${underWay.size}`);
    return wrongs;
  }

  leftovers(): string[] {
    const left = this.#callers.flatMap((caller) => caller.leftovers());
    return [...left, ...(this.#flights.size === 0 ? [] : ['a key was left']), ...leftTimers()];
  }

  #ask(caller: Caller): void {
    const { key } = caller;
    const before = this.#calls.length;
    const joinable = this.#calls.findLast((call) => call.key === key);
    caller.ask(async (options) => {
      const run = this.#flights.run(key, (signal) => this.#begin(key, signal), options);
      const isNew = this.#calls.length > before;
      if (isNew && joinable !== undefined && isJoinable(joinable))
        this.#wrongs.push(`two calls for ${key} at once`);
      if (!isNew && (joinable?.signal.aborted || joinable?.isOver))
        this.#wrongs.push(`${caller.name} joins a call that is over`);
      caller.call = isNew ? this.#calls.at(-1) : joinable;
      try {
        const value = await run;
        if (value !== caller.call?.outcome) this.#wrongs.push(`${caller.name} gets ${value}`);
        return value;
      } catch (error) {
        const reason = String(error);
        const isOwn = reason === 'aborted' || caller.manners.patienceMs !== undefined;
        if (!isOwn && reason !== caller.call?.outcome)
          this.#wrongs.push(`${caller.name} is rejected with ${reason}`);
        throw error;
      }
    });
  }

  #begin(key: string, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const call: Call = {
        name: `call ${this.#calls.length}`,
        key,
        signal,
        outcome: undefined,
        isOver: false,
        end(outcome, isGood) {
          call.outcome = outcome;
          if (isGood) resolve(outcome);
          else reject(outcome);
        },
      };
      this.#calls.push(call);
    });
  }
}

const isJoinable = ({ signal, outcome }: Call) => !signal.aborted && outcome === undefined;
