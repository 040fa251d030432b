import type { KnownMutant } from './known-mutant.js';

const keeper = 'remote-locks/lease-keeper.ts';
const lease = 'remote-locks/remote-lease.ts';
const queue = 'remote-locks/lease-queue.ts';
const requests = 'remote-locks/lease-requests.ts';

export const leaseMutants: readonly KnownMutant[] = [
  {
    name: 'does not notice that the session has ended before there is a lease',
    file: requests,
    from: 'if (isLost) return { freeInMs: 0 };',
    to: '',
    killedBy: 'microtask sweep of LeaseKeeper',
  },
  {
    name: 'keeps a grant when every caller has left',
    file: keeper,
    from: 'if (queue.isAbandoned) void answer.release();\n          else queue.grant(answer);',
    to: 'queue.grant(answer);',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'asks for every waiter at once',
    file: keeper,
    from: 'if (queue.isPursued || !queue.wantsMore) {',
    to: 'if (!queue.wantsMore) {',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'asks for a key that it holds',
    file: queue,
    from: 'return this.#queue.size > 0 && this.held < this.#limit;',
    to: 'return this.#queue.size > 0;',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'never notices that a lease has ended',
    file: requests,
    from: 'queue.held--;',
    to: '',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'serves no caller after a lease has ended',
    file: requests,
    from: 'queue.held--;\n        this.#onEnd(queue);',
    to: 'queue.held--;',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'serves no caller after a request has failed',
    file: keeper,
    from: 'queue.isPursued = false;\n      this.#pursue(queue);\n    });',
    to: 'queue.isPursued = false;\n    });',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'counts the time to live from the answer',
    file: requests,
    from: 'if (proved.agoMs > ttlMs / 3) {',
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
    name: 'does not end the lease when its session ends',
    file: requests,
    from: "lease?.lose('its session has ended', cause);",
    to: '',
    killedBy: 'explorer of LeaseKeeper',
  },
  {
    name: 'renews after the release',
    file: lease,
    from: 'this.#renewal?.cancel();',
    to: '',
    killedBy: 'explorer of LeaseKeeper',
  },
];
