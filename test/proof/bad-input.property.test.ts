/**
 * Every argument and every option of every public function, with invalid values: a TypeError or RangeError at once, which
 * names it, and nothing is held, waited for or begun afterwards. Functions that return a promise reject, all others throw.
 * The lists at the end fail for a new export that has no row.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import * as core from 'latchkey';
import * as boundedQueue from 'latchkey/bounded-queue';
import * as diagnostics from 'latchkey/diagnostics';
import * as eventLoop from 'latchkey/event-loop';
import * as machine from 'latchkey/machine';
import * as postgres from 'latchkey/postgres';
import * as redis from 'latchkey/redis';
import * as singleFlight from 'latchkey/single-flight';
import * as watching from 'latchkey/watch';
import { describe, expect, test } from 'vitest';
import { type Row, rows } from '../arguments/row.js';
import { drained, watch } from '../support/lock-likes.js';
import { anyValue, safely, specialValues } from '../support/wrong-values.js';
import '../arguments/calls.js';
import '../arguments/machine.js';
import '../arguments/remote-locks.js';
import '../arguments/overload.js';
import '../arguments/watch.js';
import '../arguments/limits.js';
import '../arguments/locks.js';
import '../arguments/pool.js';

async function errorOf({ how }: Row, call: () => unknown): Promise<unknown> {
  if (how === 'throws') {
    try {
      call();
    } catch (error) {
      return error;
    }
    return 'nothing was thrown';
  }
  // Outside of any try: a call that throws instead of rejecting fails the test. It may take microtasks only.
  const outcome = watch(Promise.resolve(call()));
  await drained();
  return outcome.state === 'rejected' ? outcome.reason : outcome.state;
}

async function isRefused(row: Row, value: unknown, whileHeld: boolean): Promise<void> {
  const stage = row.make();
  const release = whileHeld ? stage.hold?.() : undefined;
  const error = await errorOf(row, () => stage.subject(value));
  expect(error).toSatisfy((refusal) => refusal instanceof TypeError || refusal instanceof RangeError);
  const { message } = error as Error;
  const named = new RegExp(`(^|\\W)${row.argument.replace('.', '\\.')}(\\W|$)`);
  expect(message).toMatch(named);
  expect(message.length).toBeLessThan(400);
  release?.();
  await drained();
  expect(stage.free()).toBe(true);
}

describe('an invalid value is refused by name, at once, and leaves nothing behind', () => {
  test.each(rows)('$what: $argument', async (row) => {
    for (const value of specialValues) {
      if (!safely(() => row.allows(value))) await isRefused(row, value, false);
    }
    await fc.assert(
      fc.asyncProperty(anyValue, fc.boolean(), async (value, whileHeld) => {
        fc.pre(!safely(() => row.allows(value)));
        await isRefused(row, value, whileHeld);
      }),
      { numRuns: 25 },
    );
  });
});

describe('every public argument has a row', () => {
  const entries = {
    core,
    boundedQueue,
    diagnostics,
    eventLoop,
    machine,
    postgres,
    redis,
    singleFlight,
    watching,
  };
  const named = new Set(rows.map(({ what }) => what));
  const inRows = (name: string) => named.has(name);
  /** Functions without an argument, or that accept any value. */
  const takesAnything = [
    ...['KeyedMutex.isLocked', 'KeyedMutex.tryAcquire', 'SingleFlight.has', 'ConnectionPool.reset'],
    'ConnectionPool.tryAcquire',
    ...['sqlStateOf', 'isLockTimeout', 'isTransactionConflict', 'isUniqueViolation'],
    ...['SingleFlight', 'Mutex.refuseWaiting', 'KeyedMutex.refuseWaiting', 'Semaphore.refuseWaiting'],
    'AdaptiveSemaphore.refuseWaiting',
  ];

  test.each(Object.entries(entries))(
    'of %s, neither a function nor a method that takes an argument',
    (_name, entry) => {
      const missing: string[] = [];
      for (const [name, value] of Object.entries(entry) as [string, unknown][]) {
        if (typeof value !== 'function' || Error.prototype.isPrototypeOf.call(Error, value)) continue;
        if (!inRows(name)) missing.push(name);
        for (const [method, { value: call }] of Object.entries(
          Object.getOwnPropertyDescriptors(value.prototype ?? {}),
        )) {
          const takesArguments = method !== 'constructor' && typeof call === 'function' && call.length > 0;
          if (takesArguments && !inRows(`${name}.${method}`)) missing.push(`${name}.${method}`);
        }
      }
      expect(missing.filter((name) => !takesAnything.includes(name))).toEqual([]);
    },
  );

  test('no property of an interface of options', async () => {
    const src = fileURLToPath(new URL('../../src', import.meta.url));
    const files = (await readdir(src, { recursive: true })).filter((name) => name.endsWith('.ts'));
    const known = new Set(rows.map(({ argument }) => argument.replace('connector.', '')));
    const missing: string[] = [];
    let found = 0;
    for (const file of files) {
      const text = await readFile(path.join(src, file), 'utf8');
      const interfaces =
        /^export interface (\w*(?:Options|Bounds|Sample)|Connector|GetOrCreate|VersionedUpdate)\b[^{]*\{\n([\s\S]*?)^\}/gm;
      for (const [, owner = '', body = ''] of text.matchAll(interfaces)) {
        for (const [, property = ''] of body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)) {
          found++;
          if (!known.has(property)) missing.push(`${owner}.${property}`);
        }
      }
    }
    expect(found).toBeGreaterThan(80);
    // The parts of the lease keeper are no options of users; a partition may be any value.
    const isOption = (name: string) =>
      !name.startsWith('RemoteLeaseSettings.') && name !== 'PartitionedWaitOptions.partition';
    expect(missing.filter(isOption)).toEqual([]);
  });
});
