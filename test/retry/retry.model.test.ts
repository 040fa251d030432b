/** Random tasks, bounds and aborts against a model of a few lines: when each attempt starts, and how it ends. */
import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { constant, retry } from 'latchkey';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watch } from '../support/lock-likes.js';
import { ManualTime } from '../support/manual-time.js';

let time: ManualTime;
beforeEach(() => {
  time = new ManualTime();
  time.install();
});
afterEach(() => time.uninstall());

interface Plan {
  attempts: number;
  delayMs: number;
  attemptTimeoutMs: number;
  totalTimeoutMs: number;
  abortAtMs: number;
  tasks: { durationMs: number; fails: boolean }[];
}

/** Durations that end in 0, 3 and 5, so that no two events happen at the same time. */
const tens = (max: number) => fc.integer({ min: 1, max: max / 10 }).map((n) => n * 10);
const orNever = (ms: fc.Arbitrary<number>) => fc.option(ms, { nil: Infinity });
const plans: fc.Arbitrary<Plan> = fc.record({
  attempts: fc.integer({ min: 1, max: 4 }),
  delayMs: tens(100),
  attemptTimeoutMs: orNever(tens(100)),
  totalTimeoutMs: orNever(tens(400)),
  abortAtMs: orNever(tens(400).map((ms) => ms + 5)),
  tasks: fc.array(fc.record({ durationMs: tens(150).map((ms) => ms + 3), fails: fc.boolean() }), {
    minLength: 4,
    maxLength: 4,
  }),
});

function modelled({ attempts, delayMs, attemptTimeoutMs, totalTimeoutMs, abortAtMs, tasks }: Plan) {
  const starts: number[] = [];
  const ended = (how: unknown, atMs: number) => ({ starts, how, atMs });
  for (let attempt = 1, atMs = 0; ; attempt++, atMs += delayMs) {
    const { durationMs, fails } = tasks[attempt - 1] as Plan['tasks'][number];
    const timeoutMs = Math.min(attemptTimeoutMs, totalTimeoutMs - atMs);
    starts.push(atMs);
    atMs += Math.min(durationMs, timeoutMs);
    if (abortAtMs < atMs) return ended('aborted', abortAtMs);
    if (durationMs < timeoutMs && !fails) return ended(attempt, atMs);
    const error = durationMs < timeoutMs ? `failed ${attempt}` : `timed out ${attempt}`;
    if (attempt >= attempts || atMs + delayMs >= totalTimeoutMs - 1) return ended(error, atMs);
    if (abortAtMs < atMs + delayMs) return ended('aborted', abortAtMs);
  }
}

test('retry: attempts start and end as the model says, and leave no timer and no listener', async () => {
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const startedMs = time.nowMs;
      const { abortAtMs, delayMs, tasks, ...bounds } = plan;
      const controller = new AbortController();
      const starts: number[] = [];
      const outcome = watch(
        retry(
          async ({ attempt }) => {
            starts.push(time.nowMs - startedMs);
            const { durationMs, fails } = tasks[attempt - 1] as Plan['tasks'][number];
            await time.sleep(durationMs);
            if (fails) throw `failed ${attempt}`;
            return attempt;
          },
          { ...bounds, backoff: constant(delayMs), signal: controller.signal },
        ),
      );
      const expected = modelled(plan);
      await time.advance(Math.min(expected.atMs, abortAtMs) - 0.5);
      expect(outcome.state).toBe('pending');
      await time.advance(0.5);
      if (expected.how === 'aborted') controller.abort('aborted');
      await time.advance(0);
      const { value, reason } = outcome as { value?: unknown; reason?: unknown };
      const timedOut = (reason as { code?: string } | undefined)?.code === 'ERR_ATTEMPT_TIMEOUT';
      const how = timedOut ? `timed out ${(reason as { attempt: number }).attempt}` : (value ?? reason);
      expect({ starts, how }).toEqual({ starts: expected.starts, how: expected.how });
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
      // Only tasks that timed out still sleep, and nothing more happens.
      await time.advance(1_000);
      expect([starts.length, time.armed]).toEqual([expected.starts.length, 0]);
    }),
    { numRuns: 300 },
  );
});
