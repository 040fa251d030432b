import type { KnownMutant } from './known-mutant.js';

const reactions = 'pool/reactions.ts';
const matching = 'pool/matching.ts';
const demand = 'pool/demand.ts';
const lifecycle = 'pool/lifecycle.ts';
const dialler = 'pool/dialler.ts';
const keyState = 'pool/key-state.ts';

export const poolMutants: readonly KnownMutant[] = [
  {
    name: 'does not count closing connections',
    file: 'pool/slot-counts.ts',
    from: 'this.checking + this.closing',
    to: 'this.checking',
    killedBy: 'explorer of ConnectionPool',
  },
  {
    name: 'spends a wake-up on a waiter that has given up',
    file: 'waiting/waiter.ts',
    from: 'if (!this.leave()) return;\n    this.#reject(reason);',
    to: 'this.#reject(reason);',
    killedBy: 'explorer of ConnectionPool',
  },
  {
    name: 'ignores a validation that rejects',
    file: 'pool/checks.ts',
    from: '.then(this.#onAnswer, this.#onError);',
    to: '.then(this.#onAnswer, () => {});',
    killedBy: 'explorer of ConnectionPool',
  },
  {
    name: 'leases a draining connection again',
    file: reactions,
    from: 'else if (slot.retireReason !== undefined) this.lifecycle.retire(slot, slot.retireReason);',
    to: '',
    killedBy: 'pool claims: givingBack',
  },
  {
    name: "lets one caller's abort kill the dial of all",
    file: reactions,
    from: 'this.#state.counters[why]++;',
    to: `this.#state.counters[why]++;
      for (const slot of this.#state.slots) if (slot.state === 'connecting') slot.interrupt?.(why);`,
    killedBy: 'pool claims: givingUp',
  },
  {
    name: 'does not pass the slot of a failed dial on',
    file: reactions,
    from: 'connectError(key.key, error));\n    this.pump(key);',
    to: 'connectError(key.key, error));',
    killedBy: 'pool claims: failure',
  },
  {
    name: 'rejects no waiter after a failed dial',
    file: reactions,
    from: 'if (key.serving === 0) this.#state.refuse(key',
    to: 'if (false) this.#state.refuse(key',
    killedBy: 'pool claims: failure',
  },
  {
    name: 'rejects all waiters after a failed dial, served or not',
    file: reactions,
    from: 'if (key.serving === 0) this.#state.refuse(key',
    to: 'this.#state.refuse(key',
    killedBy: 'pool claims: failure',
  },
  {
    name: 'keeps a second shared connection',
    file: matching,
    from: "if (from === 'fresh' && this.#isDuplicate(slot.key)) {",
    to: 'if (false) {',
    killedBy: 'pool claims: dialling',
  },
  {
    name: 'does not close a connection that arrives too late',
    file: dialler,
    from: 'slot.connection = connection;\n        this.#lifecycle.closeConnection(slot, reason);',
    to: 'slot.connection = connection;\n        deferred.run(() => this.#lifecycle.free(slot));',
    killedBy: 'explorer of ConnectionPool',
  },
  {
    name: 'evicts every idle connection',
    file: demand,
    from: 'head !== undefined && missing() > 0;',
    to: 'head !== undefined && starved.promisingDemand > 0;',
    killedBy: 'pool claims: fairness',
  },
  {
    name: 'evicts none',
    file: demand,
    from: 'head !== undefined && missing() > 0;',
    to: 'false;',
    killedBy: 'explorer of ConnectionPool',
  },
  {
    name: 'never takes a slot from a busy key',
    file: 'pool/starved-keys.ts',
    from: 'other !== undefined &&\n',
    to: 'false && other !== undefined &&\n',
    killedBy: 'pool claims: fairness',
  },
  {
    name: 'gives a slot back to the key that yielded it',
    file: matching,
    from: 'starved.sendToEnd(slot.key, nowMs);',
    to: '',
    killedBy: 'pool claims: fairness',
  },
  {
    name: 'dials for waiters whom a dial under way will serve',
    file: keyState,
    from: '(this.waiting - coming)',
    to: 'this.waiting',
    killedBy: 'pool claims: dialling',
  },
  {
    name: 'dials during the backoff',
    file: demand,
    from: 'waitsForRetry ? 0 : wanted',
    to: 'wanted',
    killedBy: 'pool claims: failure',
  },
  {
    name: 'counts dials that fail together one by one',
    file: 'pool/server-health.ts',
    from: 'if (this.failures <= failuresBefore) {\n      this.failures = failuresBefore + 1;',
    to: 'if (true) {\n      this.failures += 3;',
    killedBy: 'pool claims: failure',
  },
  {
    name: 'never abandons a close that hangs',
    file: lifecycle,
    from: "timeout: () => deferred.run(() => this.abandon(slot, 'close')),",
    to: 'timeout: () => {},',
    killedBy: 'pool claims: failure',
  },
  {
    name: 'resolves close() before it is closed',
    file: 'pool/closing.ts',
    from: '|| counts.total > 0) return;',
    to: ') return;',
    killedBy: 'pool claims: closing',
  },
  {
    name: 'accepts a second release',
    file: 'pool/lease.ts',
    from: 'if (this.#released) {',
    to: 'if (false) {',
    killedBy: 'pool claims: givingBack',
  },
  {
    name: 'applies the lifetime to idle connections only',
    file: matching,
    from: "if (from !== 'fresh' && nowMs >= slot.expiresMs) this.#lifecycle.retire(slot, 'lifetime');",
    to: 'if (false) return;',
    killedBy: 'pool claims: age',
  },
  {
    name: 'passes a connection on a microtask late',
    file: matching,
    from: 'first.grant(this.#lease(slot, nowMs, first.demand));',
    to: 'const lease = this.#lease(slot, nowMs, first.demand);\n      queueMicrotask(() => first.grant(lease));',
    killedBy: 'microtask sweep of ConnectionPool',
  },
  {
    name: 'does not check again when a connection arrives',
    file: dialler,
    from: 'value: (connection) => deferred.run(() => this.#arrive(slot, connection)),',
    to: `value: (connection) =>
        queueMicrotask(() => deferred.run(() => this.#arrive(slot, connection))),`,
    killedBy: 'model of ConnectionPool',
  },
];
