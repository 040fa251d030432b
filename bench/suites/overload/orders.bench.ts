/** On demand, in virtual time: the orders of `latchkey/overload` beside timeouts and bounds, on real semaphores. */
import { type ControlledDelayOptions, controlledDelay, fairShare } from 'latchkey/overload';
import { aligned } from '../../harness/report.js';
import { quantile } from '../../harness/statistics.js';
import type { Suite } from '../../harness/subjects.js';
import { clairvoyant, pidRejector, prediction } from './admissions.js';
import { beside, settings as foundLimits } from './found-limits.js';
import { cockatiel, pool, pQueue } from './rivals.js';
import {
  type Outcome,
  play,
  possiblePerSecond,
  type Setting,
  type Stream,
  semaphoreWith,
} from './scenarios.js';

const deadlineMs = 500;
const counted = { seconds: 21, fromSecond: 5 };
const countedSeconds = counted.seconds - 1 - counted.fromSecond;

const loads: [name: string, perSecond: (second: number) => number][] = [
  ['0.8x', () => 800],
  ['1.1x', () => 1_100],
  ['1.5x', () => 1_500],
  ['3x', () => 3_000],
  ['bursts', (second) => (second % 5 < 1 ? 3_000 : 700)],
];

const delay = (options?: ControlledDelayOptions): Setting['make'] => {
  return () => semaphoreWith({ order: controlledDelay(options) });
};
const plain: Setting = { name: 'first come, first served', make: () => semaphoreWith() };
const delayed: Setting = { name: 'controlledDelay()', make: delay() };
const settings: Setting[] = [
  plain,
  { name: 'waitTimeoutMs 500, as the deadline', make: () => semaphoreWith({ waitTimeoutMs: 500 }) },
  { name: 'waitTimeoutMs 450, most of it', make: () => semaphoreWith({ waitTimeoutMs: 450 }) },
  { name: 'waitTimeoutMs 250, half of it', make: () => semaphoreWith({ waitTimeoutMs: 250 }) },
  { name: 'maxWaiting 1,000', make: () => semaphoreWith({ maxWaiting: 1_000 }) },
  { name: 'maxWaiting 100, tuned', make: () => semaphoreWith({ maxWaiting: 100 }) },
  delayed,
  { name: '  newestFirst: false', make: delay({ newestFirst: false }) },
  { name: '  targetMs: 450', make: delay({ targetMs: 450 }) },
  { name: '  targetMs: 450, newestFirst: false', make: delay({ targetMs: 450, newestFirst: false }) },
  { name: 'a clairvoyant that refuses after 5 ms', make: () => clairvoyant(5) },
  { name: 'prediction at the arrival', make: prediction },
  { name: 'PID rejector', make: pidRejector },
  { name: 'p-queue', make: pQueue },
  { name: 'cockatiel bulkhead(10, 1_000)', make: () => cockatiel(1_000) },
  { name: 'generic-pool, timeout 500', make: () => pool({ acquireTimeoutMillis: deadlineMs }) },
  { name: 'generic-pool, 100 waiting', make: () => pool({ maxWaitingClients: 100 }) },
];

const shared = (batchShare: number): Setting => ({
  name: `fairShare, ${batchShare} : 9`,
  make: () =>
    semaphoreWith({
      order: fairShare({
        share: (partition) => (partition === 'low' ? batchShare : 9),
        within: controlledDelay(),
      }),
    }),
});
const tenants: Setting = {
  name: 'fairShare',
  make: () => semaphoreWith({ order: fairShare({ within: controlledDelay() }) }),
};
const jobs: Setting = {
  name: 'fairShare, 1 : 9, nobody refused',
  make: () => semaphoreWith({ order: fairShare({ share: (partition) => (partition === 'low' ? 1 : 9) }) }),
};

export const overload: Suite = {
  name: 'overload',
  onDemand: true,
  printsItself: true,
  async run(_measure, flags) {
    await printLoads(flags['varies'] !== undefined);
    await printBatch();
    await printFoundLimits();
    await printSpike();
    await printTenants();
  },
};

/** 100 % is what a clairvoyant answers. Where tasks vary, it is what it answers when each takes the mean duration. */
async function printLoads(varies: boolean): Promise<void> {
  console.log(
    `\nUseful answers within ${deadlineMs} ms, in % of what is possible; their p50; refusals a second ± deviation`,
  );
  const possible: number[] = [];
  for (const [, perSecond] of loads) {
    const [best] = await play(
      { name: 'best', make: () => clairvoyant() },
      [{ perSecond, deadlineMs }],
      counted,
    );
    possible.push(best!.useful);
  }
  const rows: string[][] = [];
  for (const setting of settings) {
    const cells: string[] = [];
    for (const [i, [, perSecond]] of loads.entries()) {
      const [outcome] = await play(setting, [{ perSecond, deadlineMs }], { ...counted, varies });
      cells.push(cell(outcome!, possible[i]!));
    }
    rows.push([setting.name, ...cells]);
  }
  console.log(aligned([['', ...loads.map(([name]) => name)], ...rows], true));
}

function cell({ useful, latenciesMs, refusals }: Outcome, possible: number): string {
  const p50 = latenciesMs.length > 0 ? `${Math.round(quantile(latenciesMs, 0.5))} ms` : '-';
  const each = refusals.slice(counted.fromSecond, counted.seconds - 1);
  const mean = each.reduce((a, b) => a + b, 0) / countedSeconds;
  const deviation = Math.sqrt(each.reduce((sum, value) => sum + (value - mean) ** 2, 0) / countedSeconds);
  return `${Math.round((100 * useful) / possible)} %, ${p50}, ${Math.round(mean)} ± ${Math.round(deviation)}`;
}

async function printBatch(): Promise<void> {
  console.log('\n500 batch callers that always wait, 200 foreground calls a second');
  const streams: Stream[] = [
    { partition: 'high', perSecond: () => 200, deadlineMs: 200 },
    { partition: 'low', callers: 500, deadlineMs: Infinity },
  ];
  const rows: string[][] = [];
  for (const setting of [plain, jobs]) {
    const [high, low] = await play(setting, streams, counted);
    const left = possiblePerSecond * countedSeconds - high!.offered;
    rows.push([setting.name, share(high!.useful, high!.offered), share(low!.useful, left)]);
  }
  console.log(aligned([['', 'foreground within 200 ms', 'batch, of what is left'], ...rows], true));
}

async function printFoundLimits(): Promise<void> {
  console.log(
    '\n400 batch callers that always wait, calls with a deadline of 200 ms, a backend of 2,000 a second',
  );
  const demands = [400, 800, 1_000, 1_400];
  const rows: string[][] = [];
  for (const setting of foundLimits) {
    const cells: string[] = [];
    for (const perSecond of demands) {
      const { inTime, batch } = await beside(setting, perSecond);
      cells.push(`${share(inTime, 1)}, ${Math.round(batch)}`);
    }
    rows.push([setting.name, ...cells]);
  }
  const header = ['in time; the batch, a second', ...demands.map((demand) => `${demand} calls a second`)];
  console.log(aligned([header, ...rows], true));
}

async function printSpike(): Promise<void> {
  console.log('\n400 calls a second of users, and a prefetch that grows to 12 times that');
  const streams: Stream[] = [
    { partition: 'high', perSecond: () => 400, deadlineMs },
    { partition: 'low', perSecond: (second) => (second > 10 ? 4_800 : 400), deadlineMs },
  ];
  const rows: string[][] = [];
  for (const setting of [plain, delayed, shared(1)]) {
    const [high, low] = await play(setting, streams, counted);
    rows.push([setting.name, share(high!.useful, high!.offered), share(low!.useful, low!.offered)]);
  }
  console.log(aligned([['', 'users', 'prefetch'], ...rows], true));
}

async function printTenants(): Promise<void> {
  console.log('\n1,000 tenants with 2 calls a second each, one of them floods with 1,000');
  const streams: Stream[] = Array.from({ length: 1_000 }, (_, tenant) => ({
    partition: tenant,
    perSecond: () => (tenant === 0 ? 1_000 : 2),
    deadlineMs: 2_000,
  }));
  const rows: string[][] = [];
  for (const setting of [delayed, tenants]) {
    const outcomes = await play(setting, streams, { seconds: 41, fromSecond: 5 });
    const served = outcomes.map(({ useful }) => useful);
    const sum = served.reduce((a, b) => a + b, 0);
    const squares = served.reduce((a, b) => a + b * b, 0);
    const fairness = sum ** 2 / (served.length * squares);
    rows.push([setting.name, fairness.toFixed(3), `${Math.round(sum / 35)}`]);
  }
  console.log(aligned([['', "Jain's index", 'useful a second'], ...rows], true));
}

function share(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}
