/** The other side of a pool: it counts its sockets, and each of its answers is a move. */
import type { ConnectContext } from 'latchkey';
import type { Move } from '../explore.js';
import type { Budget } from './party.js';
import { pose, type Question } from './question.js';

/** How many dials may fail, validations say no or reject, connections be lost or die in silence, and resets happen. */
export type Mishap = 'failures' | 'refusals' | 'losses' | 'deaths' | 'resets';

export interface Connection {
  readonly id: number;
  readonly key: string;
  readonly context: ConnectContext;
  /** How often the pool had been reset when it was dialled. */
  readonly generation: number;
  isOpen: boolean;
  isLost: boolean;
  /** Its socket is dead, and nobody has told the pool. */
  isDead: boolean;
  /** Whether it was found alive since its last lease. */
  isProved: boolean;
  leases: number;
  closes: number;
}

interface Of {
  readonly name: string;
  readonly connection: Connection;
}

export class PoolServer {
  readonly connections: Connection[] = [];
  readonly wrongs: string[] = [];
  readonly #max: number;
  readonly #closesSlowly: boolean;
  /** Dials end when their signal aborts, as those of real connectors do. */
  readonly #heedsAborts: boolean;
  readonly #dials = new Set<Question<Connection> & Of>();
  readonly #checks = new Set<Question<boolean> & Of>();
  readonly #closes = new Set<Question<void> & Of>();
  #sockets = 0;
  #dialled = 0;

  constructor(max: number, closesSlowly: boolean, heedsAborts: boolean) {
    this.#max = max;
    this.#closesSlowly = closesSlowly;
    this.#heedsAborts = heedsAborts;
  }

  /** Whether a validation is to be answered. */
  get isAsked(): boolean {
    return this.#checks.size > 0;
  }

  moves(budget: Budget<Mishap>): Move[] {
    const moves: Move[] = [];
    for (const { name, connection, answer, fail } of this.#dials) {
      moves.push([`${name} succeeds`, () => answer(connection)]);
      moves.push(...budget.moves('failures', [`${name} fails`, fail]));
    }
    for (const { name, answer, fail } of this.#checks) {
      moves.push([`${name} says yes`, () => answer(true)]);
      moves.push(...budget.moves('refusals', [`${name} says no`, () => answer(false)]));
      moves.push(...budget.moves('refusals', [`${name} rejects`, fail]));
    }
    for (const { name, answer } of this.#closes) moves.push([`${name} ends`, () => answer()]);
    for (const connection of this.connections) {
      const lose = () => {
        connection.isLost = true;
        connection.context.lost(new Error('reset by peer'));
      };
      const die = () => {
        connection.isDead = true;
      };
      if (!connection.isOpen || connection.isLost) continue;
      moves.push(...budget.moves('losses', [`connection ${connection.id} is lost`, lose]));
      if (!connection.isDead)
        moves.push(...budget.moves('deaths', [`connection ${connection.id} dies`, die]));
    }
    return moves;
  }

  dial(key: string, context: ConnectContext, generation: number): Promise<Connection> {
    const id = ++this.#dialled;
    const state = { isOpen: false, isLost: false, isDead: false, isProved: false };
    const connection = { id, key, context, generation, ...state, leases: 0, closes: 0 };
    this.#count(1);
    const dial = pose(this.#dials, { name: `dial ${id}`, connection });
    if (this.#heedsAborts) {
      context.signal.addEventListener('abort', () => {
        for (const question of this.#dials) if (question.connection === connection) question.fail();
      });
    }
    return dial.then(
      (opened) => {
        opened.isOpen = true;
        this.connections.push(opened);
        return opened;
      },
      (error) => {
        this.#count(-1);
        throw error;
      },
    );
  }

  isAlive(connection: Connection): boolean {
    connection.isProved = !connection.isDead;
    return connection.isProved;
  }

  validate(connection: Connection): Promise<boolean> {
    return pose(this.#checks, { name: `validation ${connection.id}`, connection });
  }

  async close(connection: Connection): Promise<void> {
    connection.closes++;
    connection.isOpen = false;
    if (this.#closesSlowly) await pose(this.#closes, { name: `close ${connection.id}`, connection });
    this.#count(-1);
  }

  #count(step: number): void {
    this.#sockets += step;
    if (this.#sockets > this.#max) this.wrongs.push(`${this.#sockets} sockets of ${this.#max}`);
  }
}
