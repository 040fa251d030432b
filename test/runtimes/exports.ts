/** Uses every export once, as a user would: compiled against the package by each TypeScript, never run. */
import {
  type AdaptivePermit,
  AdaptiveSemaphore,
  type AdaptiveSemaphoreOptions,
  AimdLimit,
  type AttemptContext,
  AttemptTimeoutError,
  type Awaitable,
  type Backoff,
  ClosedError,
  type CloseOptions,
  type CloseReason,
  type ConnectContext,
  ConnectError,
  ConnectionPool,
  type ConnectionPoolEvent,
  type ConnectionPoolOptions,
  type ConnectionPoolStats,
  type Connector,
  classifyOutcome,
  constant,
  type DecorrelatedOptions,
  decorrelated,
  ElasticLimit,
  type ExponentialOptions,
  exponential,
  type Gathered,
  type GatherOptions,
  type GatherProgress,
  type GatherResult,
  type GatherStreamOptions,
  gatherSettled,
  gatherStream,
  type Jitter,
  type KeyedLock,
  KeyedMutex,
  type KeyLease,
  type KeyStats,
  type Lease,
  LeaseLostError,
  type LimitAlgorithm,
  type LimitBounds,
  type Limiter,
  type LimitSample,
  type LittlesLawOptions,
  type LockOptions,
  type LockStats,
  littlesLaw,
  Mutex,
  type Outcome,
  type PartitionedWaitOptions,
  type Permit,
  QueueFullError,
  RetryBudget,
  type RetryBudgetOptions,
  type RetryOptions,
  retry,
  Semaphore,
  type SemaphoreOptions,
  type SemaphoreStats,
  VegasLimit,
  type WaitDetails,
  type WaitOptions,
  WaitTimeoutError,
  type WeightedWaitOptions,
} from 'latchkey';
import {
  type Batch,
  BoundedQueue,
  type BoundedQueueOptions,
  type OfferOptions,
  type OverflowPolicy,
  type OverflowReport,
} from 'latchkey/bounded-queue';
import {
  channelNames,
  type ErrorFacts,
  type EventLoopBlockMessage,
  exposeKeys,
  type GatherMessage,
  type LeaseLostMessage,
  type LimitMessage,
  type OverflowMessage,
  type PoolAcquireMessage,
  type PoolEventMessage,
  type PoolReleaseMessage,
  type RetryMessage,
  type WaitMessage,
} from 'latchkey/diagnostics';
import {
  type BlockCause,
  type EventLoopBlock,
  type EventLoopMonitor,
  type EventLoopMonitorOptions,
  type EventLoopStats,
  monitorEventLoop,
  yieldEvery,
} from 'latchkey/event-loop';
import {
  type MachineLockOptions,
  MachineMutex,
  MachineSemaphore,
  type MachineSemaphoreOptions,
} from 'latchkey/machine';
import {
  type ControlledDelayOptions,
  controlledDelay,
  type FairShareOptions,
  fairShare,
  type WaitOrder,
} from 'latchkey/overload';
import {
  type GetOrCreate,
  getOrCreate,
  type Isolation,
  isLockTimeout,
  isTransactionConflict,
  isUniqueViolation,
  type LeaseOptions,
  type LockedTransactionOptions,
  leaseTableSchema,
  lockedTransaction,
  NoConnectionError,
  OutcomeUnknownError,
  PoolerError,
  type PostgresClient,
  PostgresMutex,
  type PostgresMutexOptions,
  type PostgresPool,
  type PostgresResult,
  PostgresSemaphore,
  type PostgresSemaphoreOptions,
  type PruneOptions,
  pruneLeases,
  type RemoteMutex,
  type RemoteSemaphore,
  RolledBackError,
  retryTransaction,
  SavepointNeededError,
  sqlStateOf,
  type TransactionOptions,
  updateVersioned,
  VersionConflictError,
  type VersionedUpdate,
} from 'latchkey/postgres';
import {
  type LeaseOptions as RedisLeaseOptions,
  RedisMutex,
  type RedisMutexOptions,
  type RemoteMutex as RedisRemoteMutex,
  type RemoteSemaphore as RedisRemoteSemaphore,
  RedisSemaphore,
  type RedisSemaphoreOptions,
  type RedisSend,
  type RedisSubscribe,
} from 'latchkey/redis';
import {
  type LeaseAnswer,
  type LeaseEngine,
  type LeaseHolder,
  type LeaseRequest,
  type LeaseOptions as OwnLeaseOptions,
  RemoteMutex as OwnMutex,
  RemoteSemaphore as OwnSemaphore,
} from 'latchkey/remote-locks';
import { SingleFlight, type SingleFlightOptions } from 'latchkey/single-flight';
import { type LeaseEngineClaim, type LeaseEngineSubject, leaseEngineClaims } from 'latchkey/testing';
import {
  DeadlockError,
  type DeadlockStep,
  type HeldEntry,
  type WaitingEntry,
  type Watcher,
  type WatchOptions,
  type WatchReport,
  type WatchSnapshot,
  watch,
} from 'latchkey/watch';

// Most callers have a variable that may be undefined: it must compile with exactOptionalPropertyTypes too.
export async function locks(signal: AbortSignal | undefined): Promise<string> {
  const wait: WaitOptions = { signal, waitTimeoutMs: 100 };
  const mutex = new Mutex();
  const permit: Permit = mutex.tryAcquire() ?? (await mutex.acquire(wait));
  permit.release();
  const keyed: KeyedLock<string> & { readonly size: number } = new KeyedMutex<string>();
  const lease: KeyLease<string> = await keyed.acquire('a', wait);
  await lease.release();
  const token: bigint = await keyed.run('a', ({ token }) => token, wait);
  const both: number = await new KeyedMutex<string>().runAll(['a', 'b'], () => Promise.resolve(1), wait);
  return `${token} ${both} ${keyed.size}`;
}

export async function ending(options: LockOptions): Promise<LockStats[]> {
  const locks = [new Mutex(options), new KeyedMutex(options), new Semaphore(0, options)];
  for (const lock of locks) {
    lock.refuseWaiting(new Error('not now'));
    lock.close();
    await lock.idle({ waitTimeoutMs: 10 });
  }
  return locks.map((lock) => lock.stats());
}

export async function semaphores(maxWaiting: number | undefined): Promise<SemaphoreStats> {
  const options: SemaphoreOptions = { maxWaiting };
  const heavy: WeightedWaitOptions = { weight: 2 };
  const semaphore = new Semaphore(3, options);
  const text: string = await semaphore.run(async () => 'text', heavy);
  semaphore.limit = text.length;
  const limiters: Limiter[] = [semaphore, new Mutex(), adaptive()];
  await Promise.all(limiters.map((limiter) => limiter.run(() => undefined)));
  return semaphore.stats();
}

function adaptive(): AdaptiveSemaphore {
  const bounds: LimitBounds = { initial: 4, min: 1, max: 10 };
  const work: LittlesLawOptions = { items: 10, durationMs: 5, withinMs: 50 };
  const own: LimitAlgorithm = {
    limit: littlesLaw(work),
    onSample: (sample: LimitSample) => void sample.held,
  };
  const laws: LimitAlgorithm[] = [own, new ElasticLimit(bounds), new AimdLimit(bounds), new VegasLimit()];
  const classify = (result: PromiseSettledResult<unknown>): Outcome => classifyOutcome(result);
  const options: AdaptiveSemaphoreOptions = {
    algorithm: laws[0],
    classify,
    onLimitChange: ({ from, to }) => from - to,
  };
  return new AdaptiveSemaphore(options);
}

export async function adaptivePermit(): Promise<void> {
  const permit: AdaptivePermit = await adaptive().acquire();
  permit.release('overload');
}

interface Socket {
  end(): void;
}

export async function pools(
  open: (host: string, signal: AbortSignal) => Promise<Socket>,
): Promise<ConnectionPoolStats> {
  const closed: CloseReason[] = [];
  const events: ConnectionPoolEvent[] = [];
  const connector: Connector<Socket, string> = {
    connect: (host: string, { signal }: ConnectContext) => open(host, signal),
    close(socket, reason) {
      closed.push(reason);
      socket.end();
    },
  };
  const options: ConnectionPoolOptions = { max: 10, onEvent: (event) => events.push(event) };
  const pool = new ConnectionPool(connector, options);
  const ended: string = await pool.use('host', (socket, lease) => {
    socket.end();
    return lease.key;
  });
  const lease: Lease<Socket, string> = await pool.acquire(ended, { waitTimeoutMs: 10 });
  lease.release(new Error('broken'));
  const single = new ConnectionPool({ connect: () => ({ n: 1 }), close: () => {} });
  const n: number = await single.use((connection) => connection.n);
  const closing: CloseOptions = { graceMs: n, drain: true };
  await single.close(closing);
  const ofKey: KeyStats | undefined = pool.stats('host');
  pool.max = 10 + (ofKey?.total ?? 0) + [...pool.keys()].length;
  await pool.tryAcquire('host')?.destroy();
  return pool.stats();
}

export async function gathering(signal: AbortSignal | undefined): Promise<string[]> {
  const stopWhen = ({ failed }: GatherProgress): boolean => failed > 0;
  const options: GatherOptions = { concurrency: 4, signal, stopWhen };
  const streaming: GatherStreamOptions = { ...options, order: 'completion' };
  for await (const { index } of gatherStream([1, 2], (n) => n.toFixed(), streaming)) console.log(index);
  const gathered: Gathered<number, string> = await gatherSettled([1, 2], (n) => n.toFixed(), options);
  const last: GatherResult<number, string> | undefined = gathered.results.at(-1);
  return last?.status === 'fulfilled' ? [last.value] : gathered.valuesOrThrow();
}

export async function retrying(): Promise<number> {
  const jitter: Jitter = 'equal';
  const spread: ExponentialOptions = { initialMs: 10, jitter };
  const wide: DecorrelatedOptions = { initialMs: 10, maxMs: 100 };
  const backoffs: Backoff[] = [exponential(spread), decorrelated(wide), constant(5)];
  const rates: RetryBudgetOptions = { ratio: 0.2 };
  const options: RetryOptions = { attempts: 2, backoff: backoffs[0], budget: new RetryBudget(rates) };
  const task = ({ attempt, signal }: AttemptContext): Awaitable<number> => (signal.aborted ? 0 : attempt);
  return retry(task, options);
}

export function codes(error: unknown): string {
  if (error instanceof WaitTimeoutError || error instanceof QueueFullError) {
    const { held, limit }: WaitDetails = error;
    return `${error.code} ${held} of ${limit}`;
  }
  if (error instanceof AttemptTimeoutError) return `${error.code} ${error.attempt}`;
  if (error instanceof ConnectError) return `${error.code} ${String(error.cause)}`;
  if (error instanceof ClosedError || error instanceof LeaseLostError) return error.code;
  if (error instanceof RolledBackError || error instanceof OutcomeUnknownError) return error.code;
  if (
    error instanceof VersionConflictError ||
    error instanceof NoConnectionError ||
    error instanceof SavepointNeededError ||
    error instanceof PoolerError
  )
    return error.code;
  return String(error);
}

export async function queues(): Promise<readonly string[]> {
  const policy: OverflowPolicy = 'drop-oldest';
  const onOverflow = ({ count, fill }: OverflowReport) => count + fill;
  const options: BoundedQueueOptions<string> = { capacity: 10, policy, onOverflow };
  const queue = new BoundedQueue<string>(options);
  const urgent: OfferOptions = { critical: true, signal: undefined };
  const isIn: boolean = await queue.offer('item', urgent);
  const batch: Batch<string> = await queue.take(isIn ? 5 : 1);
  batch.done();
  queue.close();
  const items: string[] = [];
  for await (const item of queue) items.push(item);
  return [...batch.items, ...items];
}

export async function orders(): Promise<number> {
  const delay: ControlledDelayOptions = { targetMs: 5, intervalMs: 100, newestFirst: true };
  const shares: FairShareOptions = { share: () => 1, within: controlledDelay(delay) };
  const order: WaitOrder = fairShare(shares);
  const options: PartitionedWaitOptions = { partition: 'tenant' };
  return new Semaphore(1, { order }).run(async () => 1, options);
}

export async function flights(): Promise<number> {
  const flightOptions: SingleFlightOptions = { waitTimeoutMs: 1_000 };
  const flights = new SingleFlight<string, number>(flightOptions);
  return flights.run('key', (signal) => (signal.aborted ? 0 : 1), { waitTimeoutMs: 10 });
}

export async function eventLoop(): Promise<EventLoopStats> {
  const causes: BlockCause[] = [];
  const onBlock = (block: EventLoopBlock) => causes.push(block.cause);
  const options: EventLoopMonitorOptions = { thresholdMs: 20, onBlock };
  const monitor: EventLoopMonitor = monitorEventLoop(options);
  await yieldEvery(5)();
  monitor.stop();
  return monitor.stats();
}

export interface Messages {
  [channelNames.wait]: WaitMessage;
  [channelNames.poolAcquire]: PoolAcquireMessage;
  [channelNames.poolRelease]: PoolReleaseMessage;
  [channelNames.poolEvent]: PoolEventMessage;
  [channelNames.limit]: LimitMessage;
  [channelNames.retry]: RetryMessage;
  [channelNames.gather]: GatherMessage;
  [channelNames.queueOverflow]: OverflowMessage;
  [channelNames.leaseLost]: LeaseLostMessage;
  [channelNames.eventLoopBlock]: EventLoopBlockMessage;
}

export function codeOf(message: WaitMessage): string | number | undefined {
  const facts: ErrorFacts | undefined = message.error;
  return facts?.code;
}

export function told(message: Messages['latchkey:limit']): number {
  exposeKeys(false);
  return message.to - message.from;
}

export async function postgres(pool: PostgresPool): Promise<unknown> {
  const sessions: PostgresMutexOptions = { mode: 'session', namespace: 'app' };
  const leaseOptions: LeaseOptions = { ttlMs: 5_000 };
  const places: PostgresSemaphoreOptions = { name: 'reports', ...leaseOptions };
  const remote: RemoteSemaphore = new PostgresSemaphore(pool, 3, places);
  const keyed: RemoteMutex<string> = new PostgresMutex(pool, sessions);
  const [limiter, lock]: [Limiter, KeyedLock<string>] = [remote, keyed];
  await limiter.run(() => lock.run('key', ({ token }) => token));
  await remote.tryAcquire();
  const old: PruneOptions = { olderThanMs: 1_000 };
  await pruneLeases(pool, old);
  const isolation: Isolation = 'repeatable read';
  const options: TransactionOptions = { isolation, attempts: 5 };
  const within: LockedTransactionOptions = { waitTimeoutMs: 100 };
  const select = (client: PostgresClient): Promise<PostgresResult> => client.query(leaseTableSchema(), []);
  await retryTransaction(pool, select, options);
  await lockedTransaction(pool, 'key', select, within);
  const row: GetOrCreate<string> = {
    find: () => undefined,
    create: () => 'row',
    isConflict: (error) => isUniqueViolation(error) || isTransactionConflict(error) || isLockTimeout(error),
  };
  const update: VersionedUpdate<string> = {
    read: () => ({ value: 'a', version: 1 }),
    change: (value) => value.toUpperCase(),
    write: () => 1,
  };
  const { value, created } = await getOrCreate(row);
  return [value, created, await updateVersioned(update), sqlStateOf(undefined)];
}

export async function redis(send: RedisSend): Promise<void> {
  const leaseOptions: RedisLeaseOptions = { ttlMs: 1_000 };
  const subscribe: RedisSubscribe | undefined = undefined;
  const options: RedisMutexOptions = { ...leaseOptions, subscribe };
  const places: RedisSemaphoreOptions = { name: 'reports', namespace: 'app' };
  const keyed: RedisRemoteMutex<number> = new RedisMutex<number>(send, options);
  const remote: RedisRemoteSemaphore = new RedisSemaphore(send, 2, places);
  const [limiter, lock]: [Limiter, KeyedLock<number>] = [remote, keyed];
  await limiter.run(() => lock.run(1, () => undefined));
  await keyed.close();
}

export async function machine(): Promise<void> {
  const options: MachineLockOptions = { namespace: 'app', directory: '/tmp/app' };
  const places: MachineSemaphoreOptions = { ...options, name: 'gpu' };
  const lock: KeyedLock<number> = new MachineMutex<number>(options);
  const limiter: Limiter = new MachineSemaphore(2, places);
  await limiter.run(() => lock.run(1, ({ token }) => token));
}

export function watched(): string {
  const reports: WatchReport[] = [];
  const options: WatchOptions = { deadlocks: 'reject', onReport: (report) => reports.push(report) };
  const watcher: Watcher = watch(options);
  const snapshot: WatchSnapshot = watcher.snapshot();
  const [held, waiting]: [readonly HeldEntry[], readonly WaitingEntry[]] = [snapshot.held, snapshot.waiting];
  const steps: readonly DeadlockStep[] = new DeadlockError([]).cycle;
  watcher.stop();
  return `${snapshot} ${held.length} ${waiting.length} ${steps.length}`;
}

export async function ownEngine(): Promise<unknown> {
  const acquire = async (request: LeaseRequest): Promise<LeaseAnswer> => ({ token: BigInt(request.ttlMs) });
  const holder = async (): Promise<LeaseHolder> => ({ owner: 'somebody', heldMs: undefined, leftMs: 1_000 });
  const engine: LeaseEngine = { acquire, renew: async () => true, release: async () => true, holder };
  const subject: LeaseEngineSubject = { makeEngine: () => engine };
  const [first]: readonly LeaseEngineClaim[] = leaseEngineClaims;
  await first?.check(subject);
  const leaseOptions: OwnLeaseOptions = { ttlMs: 1_000 };
  await new OwnSemaphore(engine, 2, 'places', leaseOptions).run(() => undefined);
  const mutex = new OwnMutex(engine, leaseOptions);
  await mutex.holder('key');
  return mutex.run('key', ({ token }) => token);
}
