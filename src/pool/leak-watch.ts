import type { AsyncContext } from '../runtime/async-context.js';
import { setTimer } from '../runtime/clock.js';
import type { ConnectionPoolEvent } from './connector.js';
import type { PoolLease } from './lease.js';

/** Reports a lease that is held for too long, and its return if it comes back after all. */
export async function watchForLeak<C, K>(
  acquiring: PoolLease<C, K> | Promise<PoolLease<C, K>>,
  options: { warnAfterMs: number; context: AsyncContext; emit: (event: ConnectionPoolEvent) => void },
): Promise<PoolLease<C, K>> {
  const { warnAfterMs, context, emit } = options;
  const trace = new Error('the lease was acquired here');
  const lease = await acquiring;
  const { key } = lease;
  const report = () => {
    lease.onRelease = () => emit({ type: 'leakReturned', key, heldMs: lease.heldMs });
    emit({ type: 'leak', key, heldMs: lease.heldMs, stack: trace.stack ?? '' });
  };
  const timer = context.run(setTimer, report, warnAfterMs, { background: true });
  lease.onRelease = () => timer.cancel();
  return lease;
}
