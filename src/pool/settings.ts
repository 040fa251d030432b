import {
  checkCount,
  checkDuration,
  checkFunction,
  checkLimit,
  checkObject,
  checkOptions,
  type OptionNames,
} from '../contract/arguments.js';
import { checkOrder } from '../waiting/wait-order.js';
import type { Connector } from './connector.js';
import type { ConnectionPoolOptions } from './options.js';
import type { ConnectionPoolEvent } from './reports.js';

export type PoolSettings = ReturnType<typeof poolSettings>;

const optionNames: OptionNames<ConnectionPoolOptions> = {
  max: true,
  maxPerKey: true,
  leasesPerConnection: true,
  maxConnecting: true,
  maxConnectingTotal: true,
  maxWaiting: true,
  maxWaitingPerKey: true,
  minIdle: true,
  maxUses: true,
  waitTimeoutMs: true,
  connectTimeoutMs: true,
  closeTimeoutMs: true,
  idleTimeoutMs: true,
  keepAliveMs: true,
  maxLifetimeMs: true,
  validateAfterIdleMs: true,
  validateTimeoutMs: true,
  leakWarnAfterMs: true,
  order: true,
  onEvent: true,
};

/** The options with every default in place. @throws TypeError or RangeError that names the option and the value. */
export function poolSettings(options: ConnectionPoolOptions) {
  checkOptions(options, optionNames);
  const {
    max = 50,
    maxPerKey,
    leasesPerConnection = 1,
    maxConnecting = 10,
    maxConnectingTotal = Infinity,
    maxWaiting = Infinity,
    maxWaitingPerKey = Infinity,
    minIdle = 0,
    maxUses = Infinity,
    waitTimeoutMs = 30_000,
    connectTimeoutMs = 10_000,
    closeTimeoutMs = 5_000,
    idleTimeoutMs = 60_000,
    keepAliveMs = Infinity,
    maxLifetimeMs = 1_800_000,
    validateAfterIdleMs = 1_000,
    validateTimeoutMs = 1_000,
    leakWarnAfterMs = Infinity,
    order,
    onEvent,
  } = options;
  const limits = { max, leasesPerConnection, maxConnecting, maxConnectingTotal, maxUses };
  const counts = { maxWaiting, maxWaitingPerKey, minIdle };
  const durations = {
    waitTimeoutMs,
    connectTimeoutMs,
    closeTimeoutMs,
    idleTimeoutMs,
    keepAliveMs,
    maxLifetimeMs,
    validateAfterIdleMs,
    validateTimeoutMs,
    leakWarnAfterMs,
  };
  for (const [name, value] of Object.entries(limits)) checkLimit(name, value);
  for (const [name, value] of Object.entries(counts)) checkCount(name, value);
  for (const [name, value] of Object.entries(durations)) checkDuration(name, value);
  if (maxPerKey !== undefined && typeof maxPerKey !== 'function') checkLimit('maxPerKey', maxPerKey);
  checkOrder(order);
  if (onEvent !== undefined) checkFunction('onEvent', onEvent);
  return {
    ...limits,
    ...counts,
    ...durations,
    order,
    maxPerKey: maxPerKey as number | ((key: unknown) => number) | undefined,
    // Clamped, because 0 * Infinity is NaN and no demand could ever be computed from it.
    leasesPerConnection: Math.min(leasesPerConnection, 2 ** 31),
    onEvent: onEvent as ((event: ConnectionPoolEvent) => void) | undefined,
  };
}

const requiredHooks = ['connect', 'close'] as const;
const optionalHooks = ['isAlive', 'validate', 'reset', 'isReusable', 'ref', 'unref', 'keyId'] as const;

export function checkConnector<C, K>(connector: Connector<C, K>): void {
  checkObject('connector', connector);
  for (const hook of requiredHooks) checkFunction(`connector.${hook}`, connector[hook]);
  for (const hook of optionalHooks) {
    if (connector[hook] !== undefined) checkFunction(`connector.${hook}`, connector[hook]);
  }
}
