import type { KnownMutant } from './known-mutant.js';

const keeper = 'distributed/lease-keeper.ts';
const lease = 'distributed/remote-lease.ts';

export const leaseMutants: readonly KnownMutant[] = [
  {
    name: 'does not notice that the session has ended before there is a lease',
    file: keeper,
    from: 'if (isLost || line.isAbandoned) return { freeInMs: 0 };',
    to: 'if (line.isAbandoned) return { freeInMs: 0 };',
    killedBy: 'microtask sweep of LeaseKeeper',
  },
  {
    name: 'keeps what was granted when everybody had left',
    file: keeper,
    from: 'if (isLost || line.isAbandoned) return { freeInMs: 0 };',
    to: 'if (isLost) return { freeInMs: 0 };',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'does not give back what a lost request may have got',
    file: keeper,
    from: 'await answerWithin(this.#ttlMs, this.#engine.release(name, owner)).catch(() => {});',
    to: '',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'asks for every waiter at once',
    file: keeper,
    from: 'if (line.isPursued || !line.wantsMore) {',
    to: 'if (!line.wantsMore) {',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'asks for what it has',
    file: keeper,
    from: 'return this.#queue.size > 0 && this.held < this.#limit;',
    to: 'return this.#queue.size > 0;',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'never notices that a lease has ended',
    file: keeper,
    from: 'line.held--;',
    to: '',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'serves nobody after a lease has ended',
    file: keeper,
    from: 'line.held--;\n        this.#pursue(line);',
    to: 'line.held--;',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'serves nobody after a request has failed',
    file: keeper,
    from: 'line.isPursued = false;\n        this.#pursue(line);',
    to: 'line.isPursued = false;',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'counts the time to live from the answer',
    file: keeper,
    from: 'if (proved.agoMs > this.#ttlMs / 3) {',
    to: 'proved = new Moment();\n    if (false) {',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'counts the time to live from the answer to a renewal',
    file: lease,
    from: 'this.#proved = asked;',
    to: 'this.#proved = new Moment();',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'has no deadline',
    file: lease,
    from: 'this.#deadline = setTimer(fire, Math.max(0, this.#remainingMs), { background: true });',
    to: '',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'does not tell the holder that the session has ended',
    file: keeper,
    from: "lease?.lose('its session has ended', cause);",
    to: '',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'renews on after the release',
    file: lease,
    from: 'this.#renewal?.cancel();',
    to: '',
    killedBy: 'explorer of LeaseKeeper',
  },
];
