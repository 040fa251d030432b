import { checkDuration, checkFunction, checkLimit, checkObject } from '../contract/arguments.js';
import type { ConnectionPoolEvent, ConnectionPoolOptions, Connector } from './connector.js';

export type PoolSettings = Readonly<ReturnType<typeof poolSettings>>;

/** The options with every default in place. @throws TypeError or RangeError that names the option and the value. */
export function poolSettings(options: ConnectionPoolOptions) {
  checkObject('options', options);
  const { max = 50 } = options;
  const {
    maxPerKey = max,
    leasesPerConnection = 1,
    maxConnecting = 10,
    maxWaiting = Infinity,
    waitTimeoutMs = 30_000,
    connectTimeoutMs = 10_000,
    closeTimeoutMs = 5_000,
    idleTimeoutMs = 60_000,
    maxLifetimeMs = 1_800_000,
    validateAfterIdleMs = 1_000,
    validateTimeoutMs = 1_000,
    leakWarnAfterMs = Infinity,
    onEvent,
  } = options;
  const limits = { max, maxPerKey, leasesPerConnection, maxConnecting, maxWaiting };
  const durations = {
    waitTimeoutMs,
    connectTimeoutMs,
    closeTimeoutMs,
    idleTimeoutMs,
    maxLifetimeMs,
    validateAfterIdleMs,
    validateTimeoutMs,
    leakWarnAfterMs,
  };
  for (const [name, value] of Object.entries(limits)) checkLimit(name, value);
  for (const [name, value] of Object.entries(durations)) checkDuration(name, value);
  if (onEvent !== undefined) checkFunction('onEvent', onEvent);
  return {
    ...limits,
    ...durations,
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
