import type { KnownMutant } from './known-mutant.js';

const queue = 'queue/bounded-queue.ts';
const flight = 'single-flight/single-flight.ts';

export const queueMutants: readonly KnownMutant[] = [
  {
    name: 'lets in one item too many',
    file: queue,
    from: 'return this.#fill >= this.#capacity;',
    to: 'return this.#fill > this.#capacity;',
    killedBy: 'explorer of BoundedQueue',
  },
  {
    name: 'does not count what is in flight',
    file: queue,
    from: 'return this.#items.size + this.#inFlight;',
    to: 'return this.#items.size;',
    killedBy: 'explorer of BoundedQueue',
  },
  {
    name: 'lets producers in a microtask after there is room',
    file: queue,
    from: 'this.#inFlight -= items.length;\n      this.#admit();',
    to: 'this.#inFlight -= items.length;\n      queueMicrotask(() => this.#admit());',
    killedBy: 'microtask sweep of BoundedQueue',
  },
  {
    name: 'lets in one producer per batch',
    file: queue,
    from: 'this.#producers.grant(true);',
    to: 'this.#producers.grant(true);\n      return;',
    killedBy: 'model of BoundedQueue',
  },
  {
    name: 'accepts a second done',
    file: queue,
    from: 'if (isDone) return;',
    to: '',
    killedBy: 'explorer of BoundedQueue',
  },
  {
    name: 'stores an item that a consumer waits for',
    file: queue,
    from: 'if (this.#consumers.size > 0) this.#consumers',
    to: 'if (false) this.#consumers',
    killedBy: 'explorer of BoundedQueue',
  },
  {
    name: 'gives one item more than was asked for',
    file: queue,
    from: 'while (items.length < max &&',
    to: 'while (items.length <= max &&',
    killedBy: 'model of BoundedQueue',
  },
  {
    name: 'loses the items that it drops',
    file: queue,
    from: 'this.#drop(oldest);',
    to: '',
    killedBy: 'explorer of BoundedQueue',
  },
  {
    name: 'drops the oldest, and the newest too',
    file: queue,
    from: 'const oldest = this.#items.shift() as T;\n    this.#put(item);',
    to: 'const oldest = this.#items.shift() as T;',
    killedBy: 'explorer of BoundedQueue',
  },
  {
    name: 'lets producers wait on when it is closed',
    file: queue,
    from: "this.#producers.refuseAll(() => withoutStack(() => new ClosedError('the queue')));",
    to: '',
    killedBy: 'explorer of BoundedQueue',
  },
  {
    name: 'lets consumers wait on when it is closed',
    file: queue,
    from: 'while (this.#consumers.size > 0) this.#consumers.grant(this.#batch([]));',
    to: '',
    killedBy: 'explorer of BoundedQueue',
  },
  {
    name: 'takes items in when it is closed',
    file: queue,
    from: "if (this.#closed) throw new ClosedError('the queue');",
    to: '',
    killedBy: 'explorer of BoundedQueue',
  },
];

export const flightMutants: readonly KnownMutant[] = [
  {
    name: "removes another call's entry",
    file: flight,
    from: 'if (this.#flights.get(key) === own) this.#flights.delete(key);',
    to: 'this.#flights.delete(key);',
    killedBy: 'explorer of SingleFlight',
  },
  {
    name: 'aborts the call when the first of its callers leaves',
    file: flight,
    from: 'if (this.#queue.size > 0) return;\n    this.#remove(this);',
    to: 'this.#remove(this);',
    killedBy: 'explorer of SingleFlight',
  },
  {
    name: 'does not abort a call that no caller waits for',
    file: flight,
    from: 'this.#controller.abort();',
    to: '',
    killedBy: 'explorer of SingleFlight',
  },
  {
    name: 'lets a newcomer join a call that was aborted',
    file: flight,
    from: 'this.#remove(this);\n    this.#controller.abort();',
    to: 'this.#controller.abort();',
    killedBy: 'explorer of SingleFlight',
  },
  {
    name: 'keeps a failure',
    file: flight,
    from: '(error) => {\n        this.#remove(this);',
    to: '(error) => {',
    killedBy: 'explorer of SingleFlight',
  },
  {
    name: 'gives the result to the first caller only',
    file: flight,
    from: 'while (this.#queue.size > 0) this.#queue.grant(value);',
    to: 'this.#queue.grant(value);',
    killedBy: 'explorer of SingleFlight',
  },
  {
    name: 'removes a call a microtask after it has settled',
    file: flight,
    from: '(value) => {\n        this.#remove(this);',
    to: '(value) => {\n        queueMicrotask(() => this.#remove(this));',
    killedBy: 'microtask sweep of SingleFlight',
  },
  {
    name: 'begins a call for each caller',
    file: flight,
    from: 'if (underWay !== undefined) return underWay.join(settings);',
    to: '',
    killedBy: 'model of SingleFlight',
  },
];
