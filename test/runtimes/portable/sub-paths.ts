import { Mutex } from 'latchkey';
import { BoundedQueue } from 'latchkey/bounded-queue';
import { channelNames, exposeKeys } from 'latchkey/diagnostics';
import { monitorEventLoop, yieldEvery } from 'latchkey/event-loop';
import {
  getOrCreate,
  isUniqueViolation,
  leaseTableSchema,
  lockedTransaction,
  type PostgresClient,
} from 'latchkey/postgres';
import { RedisMutex } from 'latchkey/redis';
import { SingleFlight } from 'latchkey/single-flight';
import { watch } from 'latchkey/watch';
import { claim, equal, ok, pause, rejection, rejectsWithCode } from './check.js';

const noResult = { rows: [], rowCount: 0, command: '' };

export const subPaths = [
  claim('bounded queue: producers wait for room in the order in which they came', async () => {
    const queue = new BoundedQueue<number>({ capacity: 2 });
    const offers = [1, 2, 3, 4].map((item) => queue.offer(item));
    equal([queue.size, queue.waiting], [2, 2]);
    const taken: number[] = [];
    for await (const item of queue) {
      taken.push(item);
      if (taken.length === 4) queue.close();
    }
    equal(taken, [1, 2, 3, 4]);
    equal(await Promise.all(offers), [true, true, true, true]);
  }),

  claim('bounded queue: a batch counts until it is done, and works with using', async () => {
    const queue = new BoundedQueue<string>({ capacity: 3 });
    await Promise.all(['a', 'b', 'c'].map((item) => queue.offer(item)));
    {
      using batch = await queue.take(2);
      equal([batch.items.join(''), queue.inFlight, queue.size], ['ab', 2, 1]);
    }
    equal(queue.inFlight, 0);
  }),

  claim('bounded queue: when it is full it refuses, or drops and reports, by its policy', async () => {
    const refusing = new BoundedQueue<number>({ capacity: 1, policy: 'reject' });
    await refusing.offer(1);
    await rejectsWithCode(refusing.offer(2), 'ERR_QUEUE_FULL');
    const dropped: number[] = [];
    let overflows = 0;
    const dropping = new BoundedQueue<number>({
      capacity: 1,
      policy: 'drop-oldest',
      onDrop: (item) => dropped.push(item),
      onOverflow: ({ count }) => {
        overflows += count;
      },
    });
    for (const item of [1, 2, 3]) await dropping.offer(item);
    dropping.close();
    equal([dropped, overflows, dropping.size], [[1, 2], 2, 1]);
    await rejectsWithCode(dropping.offer(4), 'ERR_CLOSED');
  }),

  claim('bounded queue: aborts and timeouts of producers and consumers lose no item', async () => {
    const queue = new BoundedQueue<number>({ capacity: 1 });
    await rejectsWithCode(queue.take(1, { waitTimeoutMs: 1 }), 'ERR_WAIT_TIMEOUT');
    await queue.offer(1);
    const controller = new AbortController();
    const aborted = rejection(queue.offer(2, { signal: controller.signal }));
    controller.abort('no');
    equal(await aborted, 'no');
    equal((await queue.take(9)).items.join(), '1');
  }),

  claim('single flight: callers that come meanwhile share the result, and no result is kept', async () => {
    const flights = new SingleFlight<string, number>();
    let calls = 0;
    const call = () => pause(1).then(() => ++calls);
    equal(await Promise.all([flights.run('k', call), flights.run('k', call)]), [1, 1]);
    equal([flights.has('k'), flights.size, await flights.run('k', call)], [false, 0, 2]);
  }),

  claim('single flight: the call is aborted when the last caller has left, and not before', async () => {
    const flights = new SingleFlight<string, number>();
    let isAborted = false;
    const hangs = (signal: AbortSignal) => {
      signal.addEventListener('abort', () => {
        isAborted = true;
      });
      return new Promise<number>(() => {});
    };
    const [one, two] = [new AbortController(), new AbortController()];
    const first = rejection(flights.run('k', hangs, { signal: one.signal }));
    const second = rejection(flights.run('k', hangs, { signal: two.signal }));
    one.abort('one');
    equal([await first, isAborted], ['one', false]);
    two.abort('two');
    equal([await second, isAborted, flights.size], ['two', true, 0]);
  }),

  claim('event loop: long work that yields lets timers run', async () => {
    let beats = 0;
    const timer = setInterval(() => beats++, 1);
    const breathe = yieldEvery(2);
    const patienceMs = performance.now() + 3_000;
    while (beats < 3 && performance.now() < patienceMs) await breathe();
    clearInterval(timer);
    equal(beats, 3);
  }),

  claim('event loop: a block is reported with its length', async () => {
    let told = 0;
    using monitor = monitorEventLoop({ thresholdMs: 20, onBlock: ({ blockedMs }) => (told = blockedMs) });
    await pause(20);
    const endMs = performance.now() + 80;
    while (performance.now() < endMs);
    await pause(30);
    const { blocks, longestBlockMs } = monitor.stats();
    ok(
      blocks >= 1 && longestBlockMs >= 70 && told >= 70,
      `${blocks} blocks, ${longestBlockMs} ms, told ${told}`,
    );
  }),

  claim('diagnostics: channels have names, and keys can be exposed and hidden', () => {
    equal(channelNames.wait, 'latchkey:wait');
    exposeKeys(true);
    exposeKeys(false);
  }),

  claim('postgres: the lock is taken inside of the transaction that it protects', async () => {
    const sent: string[] = [];
    const client: PostgresClient = {
      query(text) {
        const statements = text
          .split(';')
          .map((statement) => statement.trim().split(/[ (]/).slice(0, 2).join(' '));
        sent.push(...statements);
        const isGot = text.includes('pg_try_advisory_xact_lock');
        return Promise.resolve(isGot ? { ...noResult, rows: [{ got: true }] } : noResult);
      },
      on: () => {},
      off: () => {},
      release: (destroy) => sent.push(`release ${destroy}`),
    };
    const pool = { connect: () => Promise.resolve(client), query: client.query };
    equal(await lockedTransaction(pool, 'account 7', () => 'done'), 'done');
    equal(sent, [
      'begin isolation',
      'select set_config',
      'select current_setting',
      'commit',
      'release false',
    ]);
  }),

  claim('postgres: getOrCreate finds the row that another caller has created first', async () => {
    let rows = 0;
    const duplicate = Object.assign(new Error('duplicate key'), { code: '23505' });
    const got = await getOrCreate({
      find: () => (rows === 0 ? undefined : 'theirs'),
      create: () => {
        rows = 1;
        return Promise.reject(duplicate);
      },
      isConflict: (error) => isUniqueViolation(error),
    });
    equal([got.value, got.created], ['theirs', false]);
    ok(leaseTableSchema().includes('latchkey_leases'), 'the schema does not name the table');
  }),

  claim('watch: a mutex inside itself is named and rejected', async () => {
    const kinds: string[] = [];
    const watcher = watch({ deadlocks: 'reject', onReport: ({ kind }) => kinds.push(kind) });
    const mutex = new Mutex();
    const [end] = await Promise.allSettled([mutex.run(() => mutex.run(() => 'never'))]);
    watcher.stop();
    equal(end?.status === 'rejected' && end.reason.code, 'ERR_DEADLOCK');
    // Where tasks cannot be followed, a report says so first.
    equal(kinds.at(-1), 'deadlock');
  }),

  claim('redis: a script takes the lock for an owner, and only that owner frees it', async () => {
    const sent: string[][] = [];
    // Only the scripts have two keys: granted, the token, nothing to wait for.
    const answer = (keys: string) => (keys === '2' ? [1, '7', 0] : 1);
    const locks = new RedisMutex(async (args) => {
      sent.push(args);
      return answer(args[2]!);
    });
    const token = await locks.run('cache', (lease) => lease.token);
    await locks.releaseAll();
    equal([token, sent.map(([command]) => command)], [7n, ['EVALSHA', 'EVALSHA']]);
    const [owner, releasedBy] = sent.map((command) => command[3 + Number(command[2])]);
    equal(owner, releasedBy);
  }),
];
