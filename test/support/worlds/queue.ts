/** A bounded queue beside a model of a few lines: the items, the waiters, and which item goes where. */
import type { Batch, BoundedQueue, OverflowPolicy } from 'latchkey/bounded-queue';
import type * as everything from '../everything.js';
import type { Move, World } from '../explore.js';
import { isPatient, leftTimers, type Manners, newcomers, Party, timeMoves } from './party.js';

export interface QueuePlan {
  readonly capacity: number;
  readonly policy: OverflowPolicy;
  readonly producers: readonly Manners[];
  /** How many items each consumer takes at most, once. */
  readonly consumers: readonly (Manners & { readonly max: number })[];
  /** It may be closed at any time; otherwise in the end. */
  readonly closes?: boolean;
}

type Producer = Party<boolean> & { readonly item: number; expected: string };

type Consumer = Party<Batch<number>> & {
  readonly max: number;
  expected: string;
  expectedItems: readonly number[];
};

/** What a queue must do. */
class Model {
  readonly items: number[] = [];
  readonly dropped: number[] = [];
  producers: Producer[] = [];
  consumers: Consumer[] = [];
  inFlight = 0;
  isClosed = false;
  readonly #capacity: number;
  readonly #policy: OverflowPolicy;

  constructor({ capacity, policy }: QueuePlan) {
    this.#capacity = capacity;
    this.#policy = policy;
  }

  get isFull(): boolean {
    return this.items.length + this.inFlight >= this.#capacity;
  }

  offer(producer: Producer): string {
    if (this.isClosed) return 'ERR_CLOSED';
    if (!this.isFull && this.producers.length === 0) return this.put(producer.item);
    if (this.#policy === 'reject') return 'ERR_QUEUE_FULL';
    if (this.#policy === 'wait') {
      this.producers.push(producer);
      return 'waiting';
    }
    const oldest = this.#policy === 'drop-oldest' ? this.items.shift() : undefined;
    this.dropped.push(oldest ?? producer.item);
    return oldest === undefined ? 'granted' : this.put(producer.item);
  }

  put(item: number): string {
    const consumer = this.consumers.shift();
    if (consumer === undefined) this.items.push(item);
    else this.give(consumer, [item]);
    return 'granted';
  }

  take(consumer: Consumer): void {
    if (this.items.length > 0 || this.isClosed) this.give(consumer, this.items.splice(0, consumer.max));
    else this.consumers.push(consumer);
  }

  give(consumer: Consumer, items: readonly number[]): void {
    consumer.expected = 'granted';
    consumer.expectedItems = items;
    this.inFlight += items.length;
  }

  done(count: number): void {
    this.inFlight -= count;
    for (; this.producers.length > 0 && !this.isFull; ) {
      const producer = this.producers.shift()!;
      producer.expected = this.put(producer.item);
    }
  }

  close(): void {
    this.isClosed = true;
    for (const producer of this.producers.splice(0)) producer.expected = 'ERR_CLOSED';
    for (const consumer of this.consumers.splice(0)) this.give(consumer, []);
  }
}

export class QueueWorld implements World {
  readonly #model: Model;
  readonly #queue: BoundedQueue<number>;
  readonly #dropped: number[] = [];
  readonly #producers: Producer[];
  readonly #consumers: Consumer[];
  readonly #deadlines = new Map<Producer | Consumer, number>();
  readonly #mayClose: boolean;
  readonly #tooEarly: string[] = [];

  constructor({ BoundedQueue }: typeof everything, plan: QueuePlan) {
    const { capacity, policy, producers, consumers, closes = false } = plan;
    this.#model = new Model(plan);
    this.#queue = new BoundedQueue({ capacity, policy, onDrop: (item) => void this.#dropped.push(item) });
    this.#producers = producers.map((manners, item) =>
      Object.assign(new Party<boolean>(`producer of ${item}`, manners), { item, expected: 'away' }),
    );
    this.#consumers = consumers.map((consumer, i) => {
      const party = new Party<Batch<number>>(`consumer ${i}`, consumer);
      return Object.assign(party, { max: consumer.max, expected: 'away', expectedItems: [] });
    });
    this.#mayClose = closes;
  }

  get #parties(): readonly (Producer | Consumer)[] {
    return [...this.#producers, ...this.#consumers];
  }

  moves(): Move[] {
    const moves: Move[] = [];
    // No user comes after the forced end.
    const isOpen = !this.#model.isClosed || this.#mayClose;
    for (const producer of isOpen ? newcomers(this.#producers) : []) {
      moves.push([`${producer.name} offers`, () => this.#offer(producer)]);
    }
    for (const consumer of isOpen ? newcomers(this.#consumers) : []) {
      moves.push([`${consumer.name} takes`, () => this.#take(consumer)]);
    }
    for (const producer of this.#producers)
      moves.push(...producer.abortMoves(() => this.#leave(producer, 'aborted')));
    for (const consumer of this.#consumers) {
      if (consumer.got !== undefined) moves.push([`${consumer.name} is done`, () => this.#done(consumer)]);
      moves.push(...consumer.abortMoves(() => this.#leave(consumer, 'aborted')));
    }
    if (this.#parties.some(isPatient)) moves.push(...timeMoves(() => this.#expire()));
    if (!this.#model.isClosed && (this.#mayClose || moves.length === 0)) {
      moves.push(['it closes', () => this.#close()]);
    }
    return moves;
  }

  wrongs(): string[] {
    const different = this.#parties.filter(({ observed, expected }) => observed !== expected);
    const wrongs = different.map(({ name, observed, expected }) => `${name} is ${observed}, not ${expected}`);
    const { items, dropped, inFlight, producers } = this.#model;
    const is = [this.#queue.size, this.#queue.inFlight, this.#queue.waiting, `dropped ${this.#dropped}`].join(
      ' ',
    );
    const shouldBe = [items.length, inFlight, producers.length, `dropped ${dropped}`].join(' ');
    return [...this.#tooEarly, ...wrongs, ...(is === shouldBe ? [] : [`it is ${is}, not ${shouldBe}`])];
  }

  leftovers(): string[] {
    return this.#parties.flatMap((party) => party.leftovers()).concat(leftTimers());
  }

  #offer(producer: Producer): void {
    this.#expectDeadline(producer);
    producer.expected = this.#model.offer(producer);
    producer.ask((options) => this.#queue.offer(producer.item, options));
  }

  #take(consumer: Consumer): void {
    this.#expectDeadline(consumer);
    consumer.expected = 'waiting';
    this.#model.take(consumer);
    consumer.ask(async (options) => {
      const batch = await this.#queue.take(consumer.max, options);
      const { name, expected, expectedItems } = consumer;
      if (expected !== 'granted' || `${batch.items}` !== `${expectedItems}`) {
        this.#tooEarly.push(
          `${name} has [${batch.items}], and should have ${expected === 'granted' ? `[${expectedItems}]` : 'nothing'}`,
        );
      }
      return batch;
    });
  }

  #done(consumer: Consumer): void {
    const { got } = consumer;
    consumer.got = undefined;
    got?.done();
    got?.done();
    this.#model.done(got!.items.length);
  }

  #expectDeadline(party: Producer | Consumer): void {
    this.#deadlines.set(party, performance.now() + (party.manners.patienceMs ?? Infinity));
  }

  #close(): void {
    this.#queue.close();
    this.#model.close();
  }

  #leave(party: Producer | Consumer, why: string): void {
    if (party.expected !== 'waiting') return;
    party.expected = why;
    this.#model.producers = this.#model.producers.filter((waiting) => waiting !== party);
    this.#model.consumers = this.#model.consumers.filter((waiting) => waiting !== party);
  }

  #expire(): void {
    for (const [party, deadlineMs] of this.#deadlines) {
      if (deadlineMs <= performance.now()) this.#leave(party, 'ERR_WAIT_TIMEOUT');
    }
  }
}
